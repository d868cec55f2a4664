"""The lake carried to another version of its key: as if it had been loaded under it, however often the run died."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from khlang.bronze.job import run as bronze
from khlang.conform.pseudonym import LETTERS
from khlang.errors import BusyError, PrivacyError
from khlang.lake import tables
from khlang.lake.keys import KeyStore
from khlang.lake.ledger import Ledger
from khlang.lake.linked import NAME as LINK
from khlang.lake.reader import table
from khlang.landing.deliver import deliver_all
from khlang.model.contract import contracts
from khlang.settings import Settings
from khlang.silver.job import run as silver
from khlang.stack.seaweed import create_buckets
from khlang.stewardship import carry, rotation
from khlang.stewardship.rotation import rotate
from lakes import Lake
from landing_lake import dropped, empty_lake, environment

from .test_any_order import TIMES, written

pytestmark = pytest.mark.stack

LINE = ["_receipt", "_member", "_line", "_pass"]
OWN = ("_batch", "_taken_back")


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three deliveries of one facility; the last is late."""
    folder = tmp_path_factory.mktemp("rotated")
    return [written(folder, time, members) for time, members in TIMES.items()]


@contextmanager
def a_lake(stack: Settings, store: str = "") -> Iterator[Settings]:
    """An empty lake whose settings are those of this process."""
    own = empty_lake(stack, f"k{secrets.token_hex(4)}")
    settings = own.model_copy(update={"key_store": store}) if store else own
    create_buckets(settings, "lake")
    with environment(settings):
        yield settings
    dropped(settings)


def load(settings: Settings, *zips: Path) -> None:
    """Deliver, load, curate."""
    deliver_all(settings, list(zips))
    bronze(settings)
    silver(settings)


def content(settings: Settings) -> dict[str, pl.DataFrame]:
    """Every filled table of bronze and silver: its rows but for the batch and the receipts' secret letters."""
    with Ledger.open(settings) as ledger:
        names = [name for name in ledger.visible() if name.partition(".")[0] in ("bronze", "silver")]
    found = {name: table(name, settings=settings).polars() for name in names}
    return {name: _told(name, rows) for name, rows in found.items() if rows.height}


def _told(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    if name == LINK:
        told = rows.drop("_key", *OWN)  # its key is a name of the row alone
        return told.sort(told.columns)
    told = rows.select(pl.col("_receipt").str.head(8), pl.exclude("_receipt", *OWN))
    return told.sort(*(column for column in (*LINE, "_key") if column in rows.columns))


@pytest.fixture(scope="module")
def wanted(stores: Lake, three: list[Path]) -> Iterator[tuple[str, dict[str, pl.DataFrame]]]:
    """The key store of two versions, and a lake that knew the second one from the start."""
    with a_lake(stores.settings) as settings:
        load(settings)
        rotate(settings)
        load(settings, three[0])
        load(settings, *three[1:])
        yield settings.key_store, content(settings)


def equal(found: dict[str, pl.DataFrame], wanted: dict[str, pl.DataFrame]) -> None:
    """Both lakes hold the same rows under the same pseudonyms and hashes."""
    assert set(found) == set(wanted) and "silver.orphan" in wanted
    for name, rows in wanted.items():
        assert found[name].equals(rows), name


@pytest.mark.long
def test_a_rotated_lake_is_the_lake_that_knew_the_new_version_from_the_start(
    stores: Lake, three: list[Path], wanted: tuple[str, dict[str, pl.DataFrame]]
) -> None:
    store, want = wanted
    with a_lake(stores.settings, store) as settings:
        load(settings, three[0])
        before = content(settings)
        done = rotate(settings)
        assert (done["since"], done["version"]) == (1, 2) and done["rows"] > 0
        after = content(settings)
        assert before["silver.person_link"].height == after["silver.person_link"].height > 0
        load(settings, *three[1:])
        equal(content(settings), want)
        _linked(settings, before, after)


def _linked(settings: Settings, before: dict[str, pl.DataFrame], after: dict[str, pl.DataFrame]) -> None:
    """Every pseudonym of the old version leads to the one that stands in its place, and to no other."""
    keys = KeyStore.open(settings).pseudonymiser("lake", 2)
    checked = 0
    for contract in contracts().values():
        name = f"bronze.{contract.table}"
        if name not in before:
            continue
        old, new = before[name].sort(LINE), after[name].sort(LINE)
        for column, domain in carry.keyed_columns(contract).items():
            values = new[column].drop_nulls()
            assert values.str.starts_with(f"{LETTERS[domain]}2.").all()
            assert keys.forward(domain, old[column], 1).equals(new[column], check_names=False)
            checked += len(values)
    assert checked > 10


def dying(monkeypatch: pytest.MonkeyPatch, name: str, nth: int) -> None:
    """The n-th call of a step of the rotation never comes back."""
    real: Callable[..., object] = getattr(rotation.tables, name)
    calls = iter(range(1, 1000))

    def _dies(*given: object, **named: object) -> object:
        if next(calls) == nth:
            raise KeyboardInterrupt
        return real(*given, **named)

    monkeypatch.setattr(rotation.tables, name, _dies)


def test_a_rotation_that_died_in_the_middle_goes_on_and_nothing_is_mixed_meanwhile(
    stores: Lake, three: list[Path], wanted: tuple[str, dict[str, pl.DataFrame]]
) -> None:
    store, want = wanted
    with a_lake(stores.settings, store) as settings:
        load(settings, three[0])
        before = content(settings)
        deliver_all(settings, three[1:])
        for nth in (1, 3):
            with pytest.MonkeyPatch.context() as patch:
                dying(patch, "commit", nth)
                with pytest.raises(KeyboardInterrupt):
                    rotate(settings)
            equal_so_far = content(settings)
            assert all(equal_so_far[name].equals(rows) for name, rows in before.items()), (
                "readers see one version"
            )
            with pytest.raises(BusyError, match=r"keys\.rotating"):
                bronze(settings)
        rotate(settings)
        bronze(settings)
        silver(settings)
        equal(content(settings), want)


def test_a_batch_that_is_not_finished_is_finished_first(
    stores: Lake, three: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_lake(stores.settings) as settings:
        deliver_all(settings, three[:1])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tables, "commit", _killed)
            with pytest.raises(KeyboardInterrupt):
                bronze(settings)
        with pytest.raises(BusyError, match=r"keys\.unfinished"):
            rotate(settings)
        assert KeyStore.open(settings).versions("lake") == (1,), "no version without a rotation"


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.long
def test_a_value_that_is_no_pseudonym_of_the_version_stops_the_rotation(
    stores: Lake, three: list[Path]
) -> None:
    with a_lake(stores.settings) as settings:
        load(settings, three[0])
        rotate(settings)
        keys = KeyStore.open(settings).pseudonymiser("lake", 2)
        stored = table("bronze.person", settings=settings).polars()["pid"]
        with pytest.raises(PrivacyError, match=r"pseudonym\.version"):
            keys.forward("patient", stored, 1)
        assert rotate(settings)["version"] == 3, "a second rotation carries on from the first"
        names = table("bronze.person", settings=settings).polars()
        assert names["pid"].drop_nulls().str.starts_with("l3.").all()


@pytest.mark.long
def test_a_stewards_decision_holds_after_a_rotation(stores: Lake, three: list[Path]) -> None:
    with a_lake(stores.settings) as settings:
        load(settings, three[0])
        person = table("silver.person", settings=settings).polars().drop_nulls("cid").row(0, named=True)
        with Ledger.open(settings) as ledger:
            ledger.decide(person["hospcode"], person["pid"], None, "test", "test")
        silver(settings)
        rotate(settings)
        load(settings, *three[1:])
        parted = table("silver.person", settings=settings).polars().filter(pl.col("_line") == person["_line"])
        now = table(LINK, settings=settings).polars().filter(pl.col("source") == "decision")
        assert now["person_key"].to_list() == now["pid"].to_list() and now["pid"][0].startswith("l2.")
        assert parted.filter(pl.col("person_key") == now["pid"][0]).height == 1
