"""What gold asks of the store and of Spark: tables opened once, plans and a JVM that fit what is read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from khlang.gold import build, checks, job
from khlang.gold.build import PARTITION_BYTES, PLANNED_BYTES, TINY_BYTES, open_silver, planning, size
from khlang.lake import session, tables
from khlang.lake.tables import Part
from khlang.model.mart import Check, marts
from khlang.settings import Settings


def test_every_table_of_silver_is_opened_once_and_before_any_session(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: Counter[tuple[str, int | None]] = Counter()

    def _open(settings: Settings, name: str, version: int | None = None) -> SimpleNamespace:
        opened[name, version] += 1
        return SimpleNamespace()

    monkeypatch.setattr(tables, "open_table", _open)
    monkeypatch.setattr(tables, "parts", lambda _: [Part("a", 7, 1, None, None), Part("b", 5, 1, None, None)])
    monkeypatch.setattr(build, "view", pytest.fail)
    wanted = job._views()
    named = {name.replace("_", ".", 1) for name in wanted if name.startswith("silver_")}
    silver = open_silver(Settings(), dict.fromkeys(named, 3), wanted)
    assert "silver.service" in named and len(named) > 10
    assert opened == {(name, 3): 1 for name in named}
    assert size(silver) == 12 * len(named)


def test_little_is_read_as_planned_and_much_is_planned_again_after_every_stage() -> None:
    adaptive, generated = "spark.sql.adaptive.enabled", "spark.sql.codegen.factoryMode"
    found = [planning(read) for read in (TINY_BYTES, TINY_BYTES + 1, PLANNED_BYTES, PLANNED_BYTES + 1)]
    assert [one[adaptive] for one in found] == ["false", "false", "false", "true"]
    assert [one[generated] for one in found] == ["NO_CODEGEN", "FALLBACK", "FALLBACK", "FALLBACK"]


def test_shuffles_have_a_partition_per_core_and_more_for_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build.os, "cpu_count", lambda: 2)
    found = [
        planning(read)["spark.sql.shuffle.partitions"]
        for read in (0, 2 * PARTITION_BYTES, 40 * PARTITION_BYTES)
    ]
    assert found == ["2", "2", "40"]


@pytest.mark.parametrize(
    ("large", "chosen", "expect"),
    [(False, None, "TieredStopAtLevel=1"), (True, None, session.LARGE), (True, "-Xint", "-Xint")],
)
def test_the_jvm_fits_the_work_unless_the_settings_name_one(
    large: bool, chosen: str | None, expect: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(session, "jars_folder", lambda: tmp_path)
    settings = Settings(home=tmp_path, **({} if chosen is None else {"jvm_options": chosen}))
    told = session.options(settings, "khlang test", large)["spark.driver.extraJavaOptions"]
    assert expect in told and ("TieredStopAtLevel=1" in told) is (not large)


def test_keys_are_compared_by_hash_and_looked_at_themselves_only_when_hashes_meet() -> None:
    visit = marts()["visit"]
    hashed, exact = checks.failures_sql(visit), checks.failures_sql(visit, hashed=False)
    assert "xxhash64(" in hashed and "struct(" not in hashed
    assert "struct(" in exact and "xxhash64(" not in exact
    place = visit.checks.index(Check(unique=visit.key))
    clean = {"rows": 9, **{f"c{position}": 0 for position in range(len(visit.checks))}}
    assert checks.certain(visit, clean)
    assert not checks.certain(visit, clean | {f"c{place}": 1})
    assert checks.certain(visit, clean | {f"c{place + 1}": 1})


@pytest.mark.parametrize(("doubles", "fails"), [(0, False), (1, True)])
def test_hashes_that_meet_by_chance_do_not_stop_a_batch_and_double_keys_do(
    doubles: int, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = marts()["visit"]
    asked: list[str] = []

    def _found(_: object, sql: str) -> dict[str, int]:
        asked.append(sql)
        place = visit.checks.index(Check(unique=visit.key))
        zero = {"rows": 9, **{f"c{position}": 0 for position in range(len(visit.checks))}}
        return zero | {f"c{place}": 1 if "xxhash64" in sql else doubles}

    monkeypatch.setattr(build, "_found", _found)
    if fails:
        with pytest.raises(Exception, match="unique"):
            build.checked(SimpleNamespace(), visit)  # type: ignore[arg-type]
    else:
        assert build.checked(SimpleNamespace(), visit) == 9  # type: ignore[arg-type]
    assert ["xxhash64" in sql for sql in asked] == [True, False]
