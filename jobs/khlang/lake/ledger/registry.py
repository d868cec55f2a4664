"""The registry of facilities as it was at any time, and the keys and policies that were in force."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from khlang.errors import CatalogError
from khlang.lake.keys import Key
from khlang.lake.ledger.models import FacilityRow, KeyVersionRow, PolicyDigestRow, ReleaseRow
from khlang.model.facility import Facility


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a registry file changed."""

    added: int
    changed: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class Release:
    """One publication."""

    id: int
    released_at: datetime
    as_of: datetime
    table_versions: dict[str, Any]
    git_sha: str
    rows: int


def _facility(row: FacilityRow) -> Facility:
    return Facility(**{field.name: getattr(row, field.name) for field in fields(Facility)})


def _successors_known(facilities: Sequence[Facility], held: Iterable[str]) -> None:
    """Refuse a successor that neither the file nor the registry holds: its numbers would belong nowhere."""
    known = {*held, *(facility.hospcode for facility in facilities)}
    for facility in facilities:
        if facility.successor and facility.successor not in known:
            words = ("the successor is in no registry", "ไม่พบหน่วยบริการที่รับช่วงในทะเบียน")
            step = "add the successor to the file; nothing was loaded"
            raise CatalogError("facilities.successor", *words, f"facility {facility.hospcode}", step)


def _not_before(moment: datetime, held: Iterable[FacilityRow]) -> None:
    """Refuse a day in the future, or one that what is in force has already replaced."""
    newest = max((row.valid_from for row in held), default=moment)
    if moment > datetime.now(UTC) or moment < newest:
        words = (
            "a registry is in force from a past day, not before the last change",
            "วันเริ่มใช้ทะเบียนต้องไม่อยู่ในอนาคตและไม่ก่อนการเปลี่ยนแปลงครั้งล่าสุด",
        )
        step = f"--from a day from {newest:%Y-%m-%d} on, or leave it out"
        raise CatalogError("facilities.from", *words, "--from", step)


class Registry:
    """The part of the ledger that changes seldom."""

    engine: Engine

    def load_facilities(self, facilities: Sequence[Facility], at: datetime | None = None) -> Loaded:
        """Take a registry over: new and changed facilities are in force from `at` (default now) on.

        A facility that the file does not name stays: a province sends only its own.
        """
        moment = at or datetime.now(UTC)
        added = changed = 0
        with Session(self.engine) as session, session.begin():
            in_force = select(FacilityRow).where(FacilityRow.valid_to.is_(None)).with_for_update()
            held = {row.hospcode: row for row in session.scalars(in_force)}
            _successors_known(facilities, held)
            _not_before(moment, held.values())
            for facility in facilities:
                row = held.get(facility.hospcode)
                if row is not None and _facility(row) == facility:
                    continue
                if row is not None:
                    row.valid_to = moment
                    session.flush()  # the old row ends before the new one begins
                session.add(FacilityRow(**asdict(facility), valid_from=moment))
                added, changed = added + (row is None), changed + (row is not None)
        return Loaded(added, changed, len(facilities) - added - changed)

    def registered(self, hospcodes: Iterable[str]) -> dict[str, Facility]:
        """Those of these facilities that the registry holds now: a chunk asks for its own, not the country's."""
        asked = select(FacilityRow).where(
            FacilityRow.hospcode.in_(set(hospcodes)), FacilityRow.valid_to.is_(None)
        )
        with Session(self.engine) as session:
            return {row.hospcode: _facility(row) for row in session.scalars(asked)}

    def facilities(self, at: datetime | None = None) -> tuple[Facility, ...]:
        """Facilities in force at a moment (default now), by code."""
        condition: ColumnElement[bool] = FacilityRow.valid_to.is_(None)
        if at is not None:
            still = or_(FacilityRow.valid_to.is_(None), FacilityRow.valid_to > at)
            condition = still & (FacilityRow.valid_from <= at)
        with Session(self.engine) as session:
            rows = session.scalars(select(FacilityRow).where(condition).order_by(FacilityRow.hospcode))
            return tuple(_facility(row) for row in rows)

    def note_keys(self, keys: Iterable[Key]) -> None:
        """Remember which keys were in use: ids and ages, never bytes."""
        with Session(self.engine) as session, session.begin():
            for key in keys:
                row = {
                    "purpose": key.purpose,
                    "version": key.version,
                    "key_id": key.id,
                    "created": key.created,
                }
                session.execute(upsert(KeyVersionRow).values(**row).on_conflict_do_nothing())

    def note_policy(self, audience: str, digest: str) -> None:
        """Remember that a policy was in force."""
        with Session(self.engine) as session, session.begin():
            row = upsert(PolicyDigestRow).values(audience=audience, digest=digest)
            session.execute(row.on_conflict_do_nothing())

    def add_release(
        self, as_of: datetime, table_versions: dict[str, int], git_sha: str, rows: int, released_at: datetime
    ) -> int:
        """Record a publication; returns its number."""
        with Session(self.engine) as session, session.begin():
            row = ReleaseRow(
                as_of=as_of,
                table_versions=table_versions,
                git_sha=git_sha,
                rows=rows,
                released_at=released_at,
            )
            session.add(row)
            session.flush()
            return row.id

    def releases(self) -> tuple[Release, ...]:
        """Publications, oldest first."""
        with Session(self.engine) as session:
            rows = session.scalars(select(ReleaseRow).order_by(ReleaseRow.id))
            names = [field.name for field in fields(Release)]
            return tuple(Release(**{name: getattr(row, name) for name in names}) for row in rows)
