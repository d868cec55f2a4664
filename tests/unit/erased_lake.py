"""A small lake in which one person is to be erased: three facilities, drawn inline, run in this process."""

from __future__ import annotations

import io
import secrets
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import polars as pl
import pytest

from khlang.lake import tables
from khlang.lake.keys import KeyStore
from khlang.lake.ledger import Delivery, Ledger
from khlang.lake.stores import boto
from khlang.lake.vault import Vault
from khlang.landing.door import Door
from khlang.landing.offer import Offer
from khlang.settings import Settings, load
from khlang.stack.seaweed import create_buckets
from khlang.stewardship.erase import Done, ask, finish, pending
from khlang.stewardship.subject import Asked
from lakes import Lake

from .landing_lake import dropped, empty_lake, facility
from .zips import zipped

CID, SPELLED = "1101700203450", "1-1017-00203-45-0"
"""The person who is erased, and as a note spells the id."""
OTHER, CHILD = "1234567890121", "3100600000129"
NAME, SURNAME = "ฌาฏิพงฆ์", "ใจตัวอย่าง"

PERSON = "HOSPCODE|CID|PID|HID|PRENAME|NAME|LNAME|SEX|BIRTH|NATION|FATHER|MOTHER|COUPLE|TYPEAREA|D_UPDATE"
SERVICE = "HOSPCODE|PID|SEQ|DATE_SERV|CHIEFCOMP|D_UPDATE|CID"
ALLERGY = "HOSPCODE|PID|DATERECORD|DRUGALLERGY|DNAME|INFORMANT|INFORMHOSP|D_UPDATE"
REFER = "HOSPCODE|REFERID|PID|SEQ|DATETIME_SERV|REFERID_PROVINCE|D_UPDATE"
DETAIL = "HOSPCODE|REFERID|CARETYPE|D_UPDATE"


def person(
    pid: str, cid: str = "", name: str = "หฟกด", at: str = "99001", father: str = "", hid: str = "7"
) -> str:
    """A row of PERSON."""
    return f"{at}|{cid}|{pid}|{hid}|003|{name}|{SURNAME}|1|19800101|099|{father}|||1|20260901080000"


def visit(pid: str, seq: str, cid: str = "", at: str = "99001", note: str = "ไข้") -> str:
    """A row of SERVICE."""
    return f"{at}|{pid}|{seq}|20260901|{note}|20260901080000|{cid}"


def allergy(pid: str, drug: str, note: str, at: str = "99001") -> str:
    """A row of DRUGALLERGY, with a note."""
    return f"{at}|{pid}|20260901|{drug}|{note}|1|{at}|20260901080000"


def sheet(header: str, *lines: str, end: str = "\r\n", encoding: str = "utf-8") -> bytes:
    """A member of these lines."""
    return "".join(f"{line}{end}" for line in (header, *lines)).encode(encoding)


FIRST = {
    "PERSON.txt": sheet(
        PERSON, person("P1", CID, NAME), person("P2", OTHER, "กขคง", father=CID), person("P3", "", "งงงง", hid="8")
    ),
    "SERVICE.txt": sheet(
        SERVICE, visit("P2", "V1", OTHER), visit("P1", "V2", CID), visit("P3", "V3", note=f"ญาติ {SPELLED} พามา"),
        visit("P1", "V4"), f"99001|P3|V5|too|few|{SPELLED}", encoding="cp874",
    ),
    "DRUGALLERGY.txt": sheet(ALLERGY, allergy("P2", "A1", f"{NAME} แพ้ยา บอก"), allergy("P1", "A2", "แพ้ยา")),
    "REFER_HISTORY.txt": sheet(
        REFER, "99001|F1|P1|V2|20260901080000|5001|20260901080000", "99001|F2|P2|V1|20260901080000|5002|20260901080000",
        encoding="utf-16",
    ),
    "CARE_REFER.txt": sheet(DETAIL, "99001|F1|1|20260901080000", "99001|F2|1|20260901080000"),
    "notes.txt": f"for the ministry\nthe patient {SPELLED} left\nnothing else\n".encode(),
    "scan.bin": b"\0\1\2" + CID.encode() + b"\0",
}  # fmt: skip
"""The first delivery: the person, a child that names them, a note with the name, other encodings, broken lines."""


@dataclass(frozen=True)
class Town:
    """The lake and what is done in it."""

    settings: Settings
    ledger: Ledger

    def deliver(
        self, at: str, members: Mapping[str, bytes] | bytes, sent: str = "20261101083000"
    ) -> Delivery:
        """A zip through the door; its receipt."""
        body = members if isinstance(members, bytes) else zipped(members)
        offer = Offer(f"F43_{at}_{sent}.zip", datetime.now(UTC), at, lambda: io.BytesIO(body))
        with Door(self.settings) as door:
            (found,) = door.take([offer])
        assert isinstance(found, Delivery), found
        return found

    def run(self, *jobs: str) -> None:
        """Jobs of zones, each until nothing is new."""
        names = {"bronze": "khlang.bronze.job", "silver": "khlang.silver.job"}
        for job in jobs:
            while import_module(names[job]).run(self.settings) is not None:
                pass

    def erase(self, asked: Asked | None = None, known: Sequence[str] = (CID,)) -> Done | None:
        """Erase the person, up to silver."""
        ask(self.settings, self.ledger, asked or Asked(person=self.person()), "asked", "office", "test")
        return self.pend(known)

    def pend(self, known: Sequence[str] = (CID,)) -> Done | None:
        """`khlang erase --pending`, up to silver."""
        done = pending(self.settings, self.ledger, known, zones=("silver",))
        if done:
            finish(self.ledger, done, {number: {} for number in done.erasures})
        return done

    def person(self, cid: str = CID) -> str:
        """The person's pseudonym."""
        return KeyStore.open(self.settings).pseudonymiser("lake").of("person", pl.Series([cid]))[0]

    def patient(self, pid: str, at: str = "99001") -> str:
        """A patient's pseudonym."""
        return KeyStore.open(self.settings).pseudonymiser("lake").of("patient", pl.Series([f"{at}:{pid}"]))[0]

    def zip(self, receipt: str) -> dict[str, bytes]:
        """What landing holds of a delivery."""
        vault = Vault(self.settings)
        with vault.reader(self.ledger.delivery(receipt)) as source, zipfile.ZipFile(source) as opened:
            return {item.filename: opened.read(item) for item in opened.infolist()}

    def rows(self, name: str) -> pl.DataFrame:
        """A table at its newest version, with a hash of every row."""
        table = tables.open_table(self.settings, name)
        rows = (
            pl.read_delta(table)
            if table.file_uris()
            else pl.DataFrame(pl.from_arrow(table.to_pyarrow_table()))
        )
        return rows.sort(["hospcode", "_receipt", "_member", "_line", "_pass"])

    def objects(self) -> Iterator[tuple[str, bytes]]:
        """Every object of the lake's store that is this lake's."""
        client = boto(self.settings, "lake")
        for zone in ("bronze", "silver", "gold"):
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=self.settings.bucket(zone)):
                for entry in page.get("Contents", []):
                    got: Any = client.get_object(Bucket=self.settings.bucket(zone), Key=entry["Key"])
                    yield f"{zone}/{entry['Key']}", got["Body"].read()

    def places_of(self, *values: str) -> list[str]:
        """Objects in which a value stands: bytes as they are, Parquet decoded."""
        found = []
        for name, body in self.objects():
            text = body
            if name.endswith(".parquet"):
                text += _decoded(body)
            found += [f"{name}: {value[:2]}" for value in values if value.encode() in text]
        return found


def _decoded(body: bytes) -> bytes:
    """Every text of a Parquet file."""
    rows = pl.read_parquet(io.BytesIO(body))
    return "\n".join(str(one) for column in rows.select(pl.col(pl.String)) for one in column).encode()


@contextmanager
def new_town(stack: Settings) -> Iterator[Town]:
    """An empty lake of its own buckets and database; this process and its workers read its settings."""
    settings = empty_lake(stack, f"e{secrets.token_hex(4)}")
    create_buckets(settings, "lake")
    with _read_by_all(settings) as made:
        yield made
    dropped(settings)


@contextmanager
def whole_town(stack: Settings) -> Iterator[Town]:
    """The stack's own lake, with three facilities."""
    with _read_by_all(stack) as made:
        made.ledger.load_facilities([facility(code) for code in ("99001", "99002", "99003")])
        yield made


@contextmanager
def _read_by_all(settings: Settings) -> Iterator[Town]:
    """The settings as those of this process and of its workers."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(settings).items():
            patch.setenv(name, value)
        load.cache_clear()
        with Ledger.open(load()) as ledger:
            yield Town(load(), ledger)
    load.cache_clear()


def environment(settings: Settings) -> dict[str, str]:
    """The settings as variables of a process."""
    names = (
        "home",
        "base_port",
        "bucket_prefix",
        "database_url",
        "key_store",
        "landing_lock_days",
        "lock_wait_seconds",
    )
    return {f"KHLANG_{name.upper()}": str(getattr(settings, name)) for name in names}


@pytest.fixture
def town(stores: Lake) -> Iterator[Town]:
    """An empty lake for one test."""
    with new_town(stores.settings) as made:
        yield made
