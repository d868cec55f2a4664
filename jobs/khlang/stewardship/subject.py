"""Who is to be erased: a citizen id, a person or a patient -> pseudonyms, and where in the lake they stand."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from khlang.conform.check import valid_cid
from khlang.conform.erased import CID, PID, REFERRAL, Tombstones, has_pid
from khlang.conform.repair import THAI_DIGITS
from khlang.errors import SettingsError
from khlang.lake import tables
from khlang.lake.inforce import lake_keys
from khlang.lake.ledger import Delivery, Ledger, Subject
from khlang.model.contract import Contract, contracts
from khlang.settings import Settings
from khlang.stewardship.rewrite import naming_them

_WORDS = (
    "this is not a citizen id, a person or a patient of the lake",
    "ไม่ใช่เลขประจำตัวประชาชนหรือรหัสบุคคลในคลังข้อมูล",
)
_STEP = "a citizen id of 13 digits; or a pseudonym as `khlang table silver.person` shows it"
_THAI = str.maketrans(THAI_DIGITS, "0123456789")


@dataclass(frozen=True, slots=True)
class Asked:
    """The pseudonyms that somebody named: a person's, or of one patient of a facility."""

    person: str | None = None
    patient: str | None = None


def by_cid(settings: Settings, told: str) -> tuple[Asked, str]:
    """A citizen id as it was typed -> whom it names, and its digits."""
    digits = "".join(mark for mark in told.translate(_THAI) if mark.isdigit())
    sound = pl.DataFrame({"cid": [digits]}).select(valid_cid(pl.col("cid"))).item()
    if len(digits) != 13 or not sound:
        raise SettingsError("erasure.cid", *_WORDS, "", _STEP)
    with Ledger.open(settings) as ledger:
        keys = lake_keys(settings, ledger)
    return Asked(person=keys.of("person", pl.Series([digits]))[0]), digits


_PSEUDONYM = re.compile(r"([pl])[0-9]+\.[0-9A-Za-z_-]{22}")


def by_pseudonym(person: str, patient: str) -> Asked:
    """Pseudonyms as they were typed -> whom they name."""
    for told, letter in ((person, "p"), (patient, "l")):
        found = _PSEUDONYM.fullmatch(told)
        if told and (found is None or found[1] != letter):
            raise SettingsError("erasure.subject", *_WORDS, "", _STEP)
    return Asked(person or None, patient or None)


def _silver_person(settings: Settings, visible: Mapping[str, int]) -> pl.LazyFrame:
    """(hospcode, pid, person_key) of everybody's current PERSON row."""
    if "silver.person" not in visible:
        return pl.LazyFrame(schema=dict.fromkeys(("hospcode", "pid", "person_key"), pl.String()))
    return tables.frame(
        settings, "silver.person", visible["silver.person"], ["hospcode", "pid", "person_key"]
    )


def _among(column: str, known: Collection[str]) -> pl.Expr:
    return pl.col(column).is_in(pl.Series(sorted(known), dtype=pl.String).implode()).fill_null(False)


def subject(settings: Settings, ledger: Ledger, asked: Asked) -> Subject:
    """Everything of the lake that is the person's, by the current links (exact rules, 19)."""
    visible = ledger.visible()
    people = _silver_person(settings, visible)
    person = asked.person
    if asked.patient is not None:
        found = people.filter(pl.col("pid") == asked.patient).collect()
        known = found["person_key"].to_list()
        person = next((key for key in known if key != asked.patient), None)
    patients = {asked.patient} if asked.patient else set()
    if person is not None:
        patients |= set(people.filter(pl.col("person_key") == person).collect()["pid"])
    start = Tombstones(frozenset({person} - {None}), frozenset(patients))  # type: ignore[arg-type]
    hits = _hits(settings, visible, start)
    spared, more = _other_patients(hits, people, start)
    whole = Tombstones(
        start.persons, start.patients | more, _referrals(settings, visible, patients | more), spared
    )
    receipts = set(hits["_receipt"]) | set(_hits(settings, visible, whole)["_receipt"])
    name = person or asked.patient or ""
    return Subject(name, tuple(_listed(whole)), _concerned(ledger, receipts))


def _listed(tombstones: Tombstones) -> Iterable[tuple[str, str]]:
    parts = (
        ("person", tombstones.persons), ("patient", tombstones.patients), ("referral", tombstones.referrals),
        ("spared", tombstones.spared),
    )  # fmt: skip
    return ((kind, one) for kind, found in parts for one in sorted(found))


_HIT = {"file": pl.String(), "_receipt": pl.String(), "pid": pl.String(), "own": pl.Boolean()}


def _hits(settings: Settings, visible: Mapping[str, int], tombstones: Tombstones) -> pl.DataFrame:
    """Rows of bronze in which they stand: file, delivery, patient, whether the row's own CID is the person's.

    Reads the columns of ids of every table: nothing else tells where a person is named.
    """
    found = [pl.DataFrame(schema=_HIT)]
    for file, contract in contracts().items():
        name = f"bronze.{contract.table}"
        if name not in visible:
            continue
        rows = tables.frame(settings, name, visible[name]).filter(naming_them(contract, tombstones))
        found.append(rows.select(**_told(contract, file, tombstones)).unique().collect())
    return pl.concat(found)


def _told(contract: Contract, file: str, tombstones: Tombstones) -> dict[str, pl.Expr]:
    pid = pl.col("pid") if has_pid(contract) else pl.lit(None, pl.String)
    has_cid = any(column.name == CID for column in contract.current)
    own = _among("cid", tombstones.persons) if has_cid and has_pid(contract) else pl.lit(False)
    return {"file": pl.lit(file), "_receipt": pl.col("_receipt"), "pid": pid, "own": own}


def _other_patients(
    hits: pl.DataFrame, people: pl.LazyFrame, start: Tombstones
) -> tuple[frozenset[str], frozenset[str]]:
    """Patients that carried the person's CID: those who are somebody else by now, those who are nobody else."""
    others = set(hits.filter("own")["pid"].drop_nulls()) - start.patients
    current = set(people.filter(_among("pid", others)).collect()["pid"]) if others else set()
    told = set(hits.filter(pl.col("own") & (pl.col("file") == "PERSON"))["pid"].drop_nulls())
    return frozenset(others & current), frozenset((others - current) & told)


def _referrals(settings: Settings, visible: Mapping[str, int], patients: Collection[str]) -> frozenset[str]:
    """Referrals of these patients: the details of a referral name no patient."""
    found: set[str] = set()
    for contract in contracts().values():
        links = [column.field for column in contract.current if column.domain == REFERRAL]
        name = f"bronze.{contract.table}"
        if not has_pid(contract) or not links or name not in visible or not patients:
            continue
        rows = tables.frame(settings, name, visible[name]).filter(_among(PID.lower(), patients))
        mine = rows.select(links).unique().collect()
        found |= {one for link in links for one in mine[link].drop_nulls()}
    return frozenset(found)


def _concerned(ledger: Ledger, receipts: Collection[str]) -> tuple[str, ...]:
    """Every delivery of the facilities that told of the person, whatever became of it; those that name no facility."""
    every = ledger.deliveries()
    told = {delivery.hospcode for delivery in every if delivery.receipt in receipts}
    return tuple(one.receipt for one in every if _is_of(one, told) or one.receipt in receipts)


def _is_of(delivery: Delivery, hospcodes: Collection[str | None]) -> bool:
    nobodys = delivery.hospcode is None and delivery.sender is None
    return nobodys or delivery.hospcode in hospcodes or delivery.sender in hospcodes


def found_since(settings: Settings, ledger: Ledger, pseudonyms: Collection[str]) -> Subject:
    """Pseudonyms that a batch told of: the referrals of such patients, the deliveries in which they stand."""
    visible = ledger.visible()
    referrals = _referrals(settings, visible, pseudonyms)
    known = frozenset(pseudonyms)
    hits = _hits(settings, visible, Tombstones(frozenset(), known, referrals | known))
    return Subject(
        "", tuple(("referral", one) for one in sorted(referrals)), tuple(sorted(set(hits["_receipt"])))
    )
