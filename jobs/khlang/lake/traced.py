"""One pseudonym -> the citizen id behind it, found in PERSON rows of landing; held in memory only."""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from khlang.conform.faultlog import FaultLog
from khlang.conform.member import Member
from khlang.conform.parse import Sheet, parse, read_sheet, read_sheets
from khlang.conform.pseudonym import Pseudonymiser
from khlang.conform.typed import typed_frame
from khlang.conform.unpack import Unpacked
from khlang.errors import SettingsError
from khlang.lake.keys import KeyStore
from khlang.lake.ledger import DeliveredMember, Delivery, Ledger
from khlang.lake.vault import open_many
from khlang.model.contract import contracts
from khlang.settings import Settings

_FORM = re.compile(r"p([0-9]+)\.[A-Za-z0-9_-]{22}")
_FILE, _COLUMN, _DOMAIN = "PERSON", "CID", "person"


def version_of(pseudonym: str) -> int:
    """The key's version that a person's pseudonym names; what is none is refused and not repeated."""
    found = _FORM.fullmatch(pseudonym)
    if found is None:
        words = ("that is no person's pseudonym", "ไม่ใช่รหัสแทนตัวบุคคล")
        raise SettingsError("custody.pseudonym", *words, "PSEUDONYM", "it has the form p1. and 22 characters")
    return int(found[1])


def person_of(settings: Settings, pseudonym: str) -> str | None:
    """The citizen id whose keyed pseudonym this is; None when no delivery in landing holds that person.

    Newest deliveries first: conform types the column, so the same value gives the same pseudonym as in bronze.
    """
    maker = KeyStore.open(settings).pseudonymiser("lake", version_of(pseudonym))
    with Ledger.open(settings) as ledger:
        newest = sorted(ledger.deliveries(), key=lambda one: -one.arrival)
        accepted = {
            one.receipt: one for one in newest if one.content is not None and one.state != "duplicate"
        }
        members = {one.receipt: one for one in ledger.members(accepted, _FILE)}
    wanted = [delivery for receipt, delivery in accepted.items() if receipt in members]
    zips = open_many(settings, [delivery.place for delivery in wanted])
    for delivery, (_, sealed) in zip(wanted, zips, strict=True):
        with sealed, Unpacked(sealed, settings) as unpacked:
            for values in _ids(_member(unpacked, delivery, members[delivery.receipt])):
                if (found := _match(maker, values, pseudonym)) is not None:
                    return found
    return None


def _member(unpacked: Unpacked, delivery: Delivery, member: DeliveredMember) -> Member:
    about = (str(delivery.hospcode), delivery.sent_at or delivery.arrived_at, delivery.arrival)
    return unpacked.member(member.bytes, delivery.receipt, member.position, *about)


def _ids(member: Member) -> Iterator[pl.Series]:
    """Citizen ids as bronze reads them, a piece of the member at a time."""
    contract = contracts()[_FILE]
    sheets = (
        [read_sheet(member, contract, {})]
        if member.read is None
        else read_sheets(member, member.read, contract)
    )
    for sheet in sheets:
        if isinstance(sheet, Sheet):
            yield typed_frame(parse([sheet]), contract, FaultLog())[_COLUMN].drop_nulls()


def _match(maker: Pseudonymiser, values: pl.Series, pseudonym: str) -> str | None:
    found = values.filter(maker.of(_DOMAIN, values) == pseudonym)
    return str(found[0]) if found.len() else None
