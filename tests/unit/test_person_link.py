"""What deliveries told of a patient + decisions -> links with their times, the same whatever came first."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

import polars as pl
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from khlang.__main__ import discover
from khlang.errors import SettingsError
from khlang.lake.ledger import Ledger
from khlang.lake.linked import link_schema
from khlang.lake.tables import Part
from khlang.silver.history import FACT, compared, runs, told
from khlang.silver.link import decided, keyed
from khlang.silver.plan import Files, Scope, people_tasks
from khlang.silver.work import _moved

from .landing_lake import unwritten

__all__ = ["unwritten"]

DAY = datetime(2026, 9, 30, 8)
NOBODY = decided([])
CID = "1234567890121"
PATIENT, PERSON = "l1." + "A" * 22, "p1." + "B" * 22


def _rows(*versions: tuple[int, str | None], pid: str = "l1") -> pl.DataFrame:
    """PERSON rows of a patient: (day of the delivery, CID); a later one of the same day arrived later."""
    place = {"hospcode": "1", "pid": pid, "_member": 1, "_line": 2, "_pass": 1}
    rows = [
        {**place, "cid": cid, "_sent_at": DAY + timedelta(days=day), "_arrival": arrival}
        for arrival, (day, cid) in enumerate(versions)
    ]
    return pl.DataFrame(rows, schema_overrides={"cid": pl.String})


def _links(rows: pl.DataFrame, decisions: pl.DataFrame = NOBODY) -> list[tuple[str, str, int, int | None]]:
    """(person_key, source, first day, day after the last) of a patient's links in order of time."""
    found = runs(told(rows, decisions), decisions).sort("valid_from")
    days = [
        [None if at is None else (at - DAY).days for at in found[name]] for name in ("valid_from", "valid_to")
    ]
    return list(zip(found["person_key"], found["source"], *days, strict=True))  # type: ignore[arg-type]


def test_a_later_cid_and_a_corrected_one_end_the_link_before_them() -> None:
    rows = _rows((0, None), (1, None), (2, "p1"), (3, "p1"), (4, "p2"))
    assert _links(rows) == [("l1", "pid", 0, 2), ("p1", "cid", 2, 4), ("p2", "cid", 4, None)]
    assert _links(rows.reverse()) == _links(rows)


def test_of_two_contents_of_one_time_the_later_arrival_tells_who_the_patient_is() -> None:
    rows = _rows((0, "p1"), (1, "p2"), (1, "p3"))
    assert _links(rows) == _links(rows.reverse()) == [("p1", "cid", 0, 1), ("p3", "cid", 1, None)]
    assert _links(_rows((0, "p1"), (1, "p2"), (1, "p1"))) == [("p1", "cid", 0, None)]


def test_a_decision_holds_from_the_first_delivery_on_whatever_comes_later() -> None:
    parted, joined = decided([("1", "l1", "l1", 4)]), decided([("1", "l1", "p9", 5)])
    for rows in (_rows((0, "p1")), _rows((0, "p1"), (3, "p2")), _rows((0, "p1"), (3, None))):
        assert _links(rows, parted) == [("l1", "decision", 0, None)]
        assert _links(rows, joined) == [("p9", "decision", 0, None)]


def test_a_decision_is_about_one_patient_of_one_facility() -> None:
    person = pl.DataFrame({"hospcode": ["1", "2", "1"], "pid": ["l1", "l1", "l2"], "cid": ["p1", "p1", "p1"]})
    found = keyed(person, decided([("1", "l1", "p9", 4)]))
    assert found["person_key"].to_list() == ["p9", "p1", "p1"]
    assert found["source"].to_list() == ["decision", "cid", "cid"]


class Table:
    """silver.person_link in memory, as batch after batch leaves it."""

    def __init__(self) -> None:
        """Empty."""
        self.rows = pl.DataFrame(schema=link_schema())

    @property
    def standing(self) -> pl.DataFrame:
        """What was not taken back, in one file."""
        return self.rows.filter(pl.col("_taken_back").is_null()).with_columns(pl.lit("s/f").alias("_path"))

    def take(
        self, points: pl.DataFrame, batch: str, decisions: pl.DataFrame = NOBODY, anew: bool = False
    ) -> int:
        """A batch: of its own points, or anew of all points; how many rows it wrote."""
        standing = self.standing
        if not anew:
            standing = standing.join(points, on=["hospcode", "pid"], how="semi")
            points = pl.concat([standing.select(points.columns), points])
        written, old = compared(standing, runs(points, decisions), batch)
        kept = self.rows.join(old.select("_key"), on="_key", how="anti")
        assert kept.height + old.height == self.rows.height
        self.rows = pl.concat([kept, written])
        return written.height

    def facts(self) -> list[tuple[object, ...]]:
        """The links that stand, without our own marks."""
        return self.standing.select(*FACT, "valid_to").sort(FACT, nulls_last=True).rows()


@pytest.mark.parametrize("seed", range(40))
def test_batches_in_order_leave_what_all_rows_worked_out_at_once_give(seed: int) -> None:
    dice, table, points = random.Random(seed), Table(), []
    for day in range(8):
        now = []
        for pid in ("l1", "l2", "l3"):
            if dice.random() < 0.6:
                times = sorted(dice.choices((day, day + 1), k=dice.choice((1, 1, 2))))  # and the batch after
                now.append(_rows(*((time, dice.choice((None, "p1", "p2"))) for time in times), pid=pid))
        if now:
            points.append(told(pl.concat(now), NOBODY))
            table.take(points[-1], f"s{day}")
    every = Table()
    every.take(pl.concat(points), "anew", anew=True)
    assert table.facts() == every.facts() and table.facts()
    assert table.rows["_key"].n_unique() == table.rows.height
    assert table.take(pl.concat(points), "again", anew=True) == 0, "worked out anew, nothing changes"


def test_a_register_sent_again_writes_nothing_and_one_new_cid_writes_two_rows() -> None:
    table = Table()
    first = pl.concat([_rows((0, None), pid=f"l{n}") for n in range(100)])
    assert table.take(told(first, NOBODY), "s0") == 100
    again = pl.concat([_rows((1, "p1" if n == 7 else None), pid=f"l{n}") for n in range(100)])
    assert table.take(told(again, NOBODY), "s1") == 2
    closed = table.rows.filter((pl.col("pid") == "l7") & pl.col("valid_to").is_not_null())
    assert closed.select("person_key", "_batch").rows() == [("l7", "s0")], (
        "known since the batch that told it first"
    )


def test_what_is_told_no_more_is_kept_with_the_batch_that_took_it_back() -> None:
    table = Table()
    first, second = told(_rows((0, "p1")), NOBODY), told(_rows((1, "p2")), NOBODY)
    table.take(first, "s0")
    table.take(second, "s1")
    table.take(first, "s2", anew=True)  # the second delivery was withdrawn
    assert table.facts() == [("1", "l1", "p1", "cid", None, DAY, None)]
    back = table.rows.filter(pl.col("_taken_back").is_not_null())
    assert back.select("person_key", "_batch", "_taken_back").rows() == [("p2", "s1", "s2")]
    table.take(pl.concat([first, second]), "s3", anew=True)  # and came once more
    assert table.rows["_key"].n_unique() == table.rows.height == 3


def test_a_decision_and_its_undoing_leave_the_links_of_the_deliveries() -> None:
    table, parted = Table(), decided([("1", "l1", "l1", 4)])
    rows = _rows((0, None), (1, "p1"))
    table.take(told(rows, NOBODY), "s0")
    before = table.facts()
    table.take(told(rows, parted), "s1", parted, anew=True)
    assert table.facts() == [("1", "l1", "l1", "decision", 4, DAY, None)]
    table.take(told(_rows((2, "p2")), parted), "s2", parted)
    assert table.facts() == [("1", "l1", "l1", "decision", 4, DAY, None)]
    table.take(told(rows, NOBODY), "s3", anew=True)
    assert table.facts() == before


def test_rows_to_relink_are_looked_for_only_where_a_patient_is_another_person_now() -> None:
    state = {"hospcode": ["1", "2", "3", "4"], "pid": ["l1", "l2", "l3", "l4"]}
    before = pl.DataFrame(state | {"person_key": ["p1", "p2", "l3", "p4"]})
    after = pl.DataFrame(state | {"person_key": ["p1", "p9", "l3", "p4"]}).filter(pl.col("pid") != "l4")
    newcomer = pl.DataFrame({"hospcode": ["5"], "pid": ["l5"], "person_key": ["l5"]})
    assert _moved(before, pl.concat([after, newcomer])) == {"kind": "moved", "hospcodes": ["2", "4"]}


OLD, NEW = Part("b1/f.parquet", 1, 9, "00001", "00009"), Part("b2/f.parquet", 1, 9, "00001", "00009")
STATE = Part("s0/f.parquet", 1, 9, "00001", "00009")


def _tasks(
    unlinked: frozenset[str] = frozenset(), **scope: object
) -> list[tuple[bool, list[str], bool, int]]:
    """(of the history, facilities, anew, files of bronze) of the tasks of a batch."""
    plain = {"batch": "s1", "attempt": "x", "sources": ("b2",), "rows": {}, "resolve": frozenset()}
    files = Files([OLD, NEW], [STATE])
    made = people_tasks(Scope(**{**plain, **scope}), files, files, unlinked, 100)  # type: ignore[arg-type]
    return [(task["history"], task["hospcodes"], task["resolve"], len(task["bronze"])) for task in made]


def test_a_decision_reads_the_state_of_its_facility_and_all_that_it_ever_told() -> None:
    told_ = _tasks(redecided={"00002": ["l1"]})
    assert told_ == [(False, ["00002"], False, 1), (True, ["00002"], True, 2)]
    assert _tasks(rows={"PERSON": {"00003": 5}}) == [
        (False, ["00003"], False, 1),
        (True, ["00003"], False, 1),
    ]


def test_a_lake_older_than_the_table_of_links_gets_those_of_every_facility() -> None:
    found = _tasks(frozenset({"00004", "00005"}), rows={"PERSON": {"00003": 5}})
    assert (True, ["00004", "00005"], True, 2) in found and (True, ["00003"], False, 1) in found


def test_tasks_hold_the_decisions_of_their_facilities_only() -> None:
    scope = Scope(
        "s1", "x", ("b2",), {"PERSON": {"00003": 5}}, frozenset(),
        decisions=(("00003", "l1", "p1", 1), ("00004", "l2", "p2", 2)), redecided={"00003": ["l1"]},
    )  # fmt: skip
    files = Files([NEW], [STATE])
    for task in people_tasks(scope, files, files, frozenset(), 100):
        assert (task["decisions"], task["redecided"]) == ([("00003", "l1", "p1", 1)], ["l1"])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("part", CID, PATIENT, "--cause", "a"), "link.form"),
        (("part", "99001", CID, "--cause", "a"), "link.form"),
        (("part", "99001", PERSON, "--cause", "a"), "link.form"),
        (("join", "99001", PATIENT, CID, "--cause", "a"), "link.form"),
        (("join", "99001", CID, PERSON, "--cause", "a"), "link.form"),
        (("undo", CID, "--cause", "a"), "link.form"),
        (("undo", "7", "--cause", " "), "link.cause"),
        (("undo", "7", "--cause", f"wrong {CID}"), "link.cause"),
        (("part", "99001", PATIENT, "--cause", "wrong 1-2345-67890-12-1"), "link.cause"),
        (("part", "99001", PATIENT, "--cause", "๑๒๓๔๕๖๗๘๙๐๑๒๑"), "link.cause"),
    ],
)
def test_an_identifier_given_by_mistake_is_refused_and_not_shown(words: tuple[str, ...], code: str) -> None:
    done = CliRunner().invoke(discover(), ["link", *words])
    assert isinstance(done.exception, SettingsError) and done.exception.code == code
    said = done.output + str(done.exception) + done.exception.th
    assert "1234567890121" not in said and "1-2345" not in said and "๑๒๓" not in said


@pytest.fixture
def noted(ledger: Ledger) -> Iterator[Ledger]:
    """A ledger with a decision that a committed silver batch took."""
    ledger.decide("99001", PATIENT, None, "two sexes under one CID", "steward")
    batch = ledger.open_batch("silver")
    assert batch is not None
    ledger.commit_batch(batch, {}, {})
    yield ledger


@pytest.mark.stack
def test_a_decision_is_something_new_for_silver_and_taken_once(ledger: Ledger) -> None:
    assert ledger.open_batch("silver") is None
    made = ledger.decide("99001", PATIENT, PERSON, "same person", "steward")
    assert ledger.taken_decisions() == (), "nobody took it"
    batch = ledger.open_batch("silver")
    assert batch is not None and [one.id for one in batch.decisions] == [made.id]
    later = ledger.decide("99001", PATIENT[:-1] + "C", None, "other", "steward")
    resumed = ledger.open_batch("silver")
    assert resumed is not None and resumed.resumed and [one.id for one in resumed.decisions] == [made.id]
    assert [one.id for one in ledger.taken_decisions()] == [made.id], "what came after the batch waits"
    ledger.commit_batch(batch, {}, {})
    following = ledger.open_batch("silver")
    assert following is not None and [one.id for one in following.decisions] == [later.id]
    ledger.commit_batch(following, {}, {})
    assert ledger.open_batch("silver") is None
    assert [one.person_key for one in ledger.taken_decisions()] == [PERSON, PATIENT[:-1] + "C"]


@pytest.mark.stack
def test_an_undoing_holds_from_the_batch_that_takes_it_and_only_once(noted: Ledger) -> None:
    (made,) = noted.taken_decisions()
    undone = noted.undo_decision(made.id, "looked again", "steward")
    assert [one.id for one in noted.taken_decisions()] == [made.id], "no batch took the undoing"
    with pytest.raises(SettingsError, match=r"link\.undone"):
        noted.undo_decision(made.id, "again", "steward")
    with pytest.raises(SettingsError, match=r"link\.undone"):
        noted.undo_decision(undone.id, "an undoing", "steward")
    batch = noted.open_batch("silver")
    assert batch is not None
    assert [(one.kind, one.patient) for one in batch.decisions] == [("undo", PATIENT)]
    assert noted.taken_decisions() == ()


@pytest.mark.stack
def test_of_a_patient_one_decision_stands_and_the_audit_names_no_pseudonym(noted: Ledger) -> None:
    with pytest.raises(SettingsError, match=r"link\.decided"):
        noted.decide("99001", PATIENT, PERSON, "another", "steward")
    noted.decide("99002", PATIENT, PERSON, "another facility", "steward")
    noted.undo_decision(1, "looked again", "steward")
    noted.decide("99001", PATIENT, PERSON, "another", "steward")
    with noted.engine.connect() as connection:
        acts = connection.execute(text("select actor, action, subject from audit order by id")).all()
    assert [tuple(act) for act in acts][-2:] == [
        ("steward", "link.undo", "decision 4"), ("steward", "link.join", "decision 5"),
    ]  # fmt: skip
    assert noted.verify_audit() is None
