"""Deliveries in any order, alone or together, once or several times: one and the same silver, by its hash."""

from __future__ import annotations

import hashlib
import itertools
import random
import secrets
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from khlang.bronze.job import run as bronze
from khlang.lake.fingerprint import fingerprint
from khlang.lake.ledger import Ledger
from khlang.lake.linked import NAME as LINK
from khlang.lake.reader import table
from khlang.landing.deliver import deliver_all
from khlang.model.contract import contracts
from khlang.settings import Settings
from khlang.silver.job import run as silver
from khlang.stack.seaweed import create_buckets
from lakes import Lake
from landing_lake import dropped, empty_lake, environment
from zips import zipped

pytestmark = pytest.mark.stack

BACKWARDS = (2, 1, 0)
ORDERS = [
    order if order == BACKWARDS else pytest.param(order, marks=pytest.mark.long)
    for order in list(itertools.permutations(range(3)))[1:]
]
"""All orders but the one that the others are held against; the fast suite takes the hardest."""

PERSON = "HOSPCODE|CID|PID|PRENAME|NAME|LNAME|SEX|BIRTH|NATION|TYPEAREA|D_UPDATE"
SERVICE = "HOSPCODE|PID|SEQ|DATE_SERV|CHIEFCOMP|SBP|D_UPDATE"
DIAGNOSIS = "HOSPCODE|PID|SEQ|DATE_SERV|DIAGTYPE|DIAGCODE|CLINIC|D_UPDATE"
CHRONIC = "HOSPCODE|PID|DATE_DIAG|CHRONIC|TYPEDISCH|D_UPDATE"
LINKED = ["hospcode", "pid", "person_key", "source", "decision", "valid_from", "valid_to"]
ORPHAN = ["hospcode", "table_name", "parent", "column_name", "parent_hospcode", "link"]
Orders = Sequence[Sequence[Path]]
"""Batches, each of the zips that come before it."""


def sheet(header: str, *rows: str) -> bytes:
    """A member of facility 99001."""
    return "".join(f"{line}\r\n" for line in (header, *(f"99001|{row}" for row in rows))).encode()


def person(pid: str, cid: str, sex: str) -> str:
    """A row of PERSON."""
    return f"{cid}|{pid}|003|สมมุติ{pid}|ตัวอย่าง|{sex}|19800101|099|1|20260901080000"


CIDS = ("1234567890121", "1234567890139", "1234567890147")
FIRST = {
    "PERSON.txt": sheet(PERSON, person("1", "", "1"), person("2", CIDS[0], "2")),
    "SERVICE.txt": sheet(SERVICE, "1|V1|20260901|ไข้|120|20260901080000", "2|V2|20260902|ไอ|300|20260902080000",
                         "2|V2|20260902|ไอมาก|130|20260902090000"),
    "CHRONIC.txt": sheet(CHRONIC, "1|20200131|E11.9|03|20260901080000", "2|20200131|I10|03|20260901080000"),
}  # fmt: skip
"""The first month."""
CORRECTED = {
    "PERSON.txt": sheet(PERSON, person("1", CIDS[0], "2"), person("3", CIDS[1], "1")),
    "SERVICE.txt": sheet(SERVICE, "2|V2|20260902|ไอ|140|20261001080000", "2|V3|20261002||150|20261002080000"),
    "DIAGNOSIS_OPD.txt": sheet(DIAGNOSIS, "1|V9|20261001|1|E119|00100|20261001080000",
                               "2|V3|20261002|1|I10|00100|20261002080000"),
}  # fmt: skip
"""The second month, which corrects rows of the first; one diagnosis has no visit yet."""
LATE = {
    "SERVICE.txt": sheet(SERVICE, "1|V9|20261001|ปวดหัว|125|20260920080000", "1|V1|20260901|ไข้|121|20260920080000"),
    "CHRONIC.txt": sheet(CHRONIC, "2|20200131|I10|03|20260901080000", "1|20200131|E119|01|20260920080000",
                         "9|20200131|E119|xx|20260920080000"),
}  # fmt: skip
"""What was left out between the two; part of it was sent before, part of it differs."""
TIMES = {"20260930080000": FIRST, "20261031080000": CORRECTED, "20261015080000": LATE}


def written(folder: Path, time: str, members: dict[str, bytes], form: str = "plain") -> Path:
    """A zip of facility 99001; `form` names its folder, `stored` ones are not compressed."""
    path = folder / form / f"F43_99001_{time}.zip"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zipped(members, zipfile.ZIP_STORED if form == "stored" else zipfile.ZIP_DEFLATED))
    return path


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The three deliveries."""
    folder = tmp_path_factory.mktemp("three")
    return [written(folder, time, members) for time, members in TIMES.items()]


@dataclass(frozen=True, slots=True)
class Lakes:
    """Empty lakes with one key store between them: the same person has the same pseudonym in all."""

    stack: Settings
    keys: str

    def silver_after(self, batches: Orders) -> dict[str, str]:
        """Table -> hash of what a new lake holds when these batches were delivered and curated."""
        own = empty_lake(self.stack, f"o{secrets.token_hex(4)}")
        settings = own.model_copy(update={"key_store": self.keys})
        try:
            create_buckets(settings, "lake")
            with environment(settings):
                for paths in batches:
                    deliver_all(settings, list(paths))
                    bronze(settings)
                    silver(settings)
            return _hashes(settings)
        finally:
            dropped(settings)


def _hashes(settings: Settings) -> dict[str, str]:
    """Hash of every table of silver that holds rows (exact rules: contract columns and person_key)."""
    with Ledger.open(settings) as ledger:
        names = [name for name in ledger.visible() if name.startswith("silver.")]
    found = {}
    for name in names:
        rows = table(name, settings=settings).polars()
        if name == LINK:
            rows = rows.filter(pl.col("_taken_back").is_null())
        columns = {"silver.orphan": ORPHAN, LINK: LINKED}.get(name, [])
        if not columns:
            own = contracts()[name.removeprefix("silver.").upper()]
            columns = [column.field for column in own.current]
            columns += [column for column in ("person_key",) if column in rows.columns]
        if rows.height:
            found[name] = f"{rows.height} {fingerprint(rows, columns)}"
    return found


@pytest.fixture(scope="module")
def lakes(stores: Lake) -> Lakes:
    """The stores to make lakes in."""
    settings = empty_lake(stores.settings, f"k{secrets.token_hex(4)}")
    dropped(settings)
    return Lakes(stores.settings, settings.key_store)


@pytest.fixture(scope="module")
def in_order(lakes: Lakes, three: list[Path]) -> dict[str, str]:
    """Silver when the three come one by one in the order of their names."""
    return lakes.silver_after([[path] for path in sorted(three)])


def whole(hashes: dict[str, str]) -> str:
    """One hash of all tables."""
    return hashlib.sha256(repr(sorted(hashes.items())).encode()).hexdigest()


def test_silver_holds_what_the_three_say_together(in_order: dict[str, str]) -> None:
    rows = {name: int(told.split()[0]) for name, told in in_order.items()}
    assert rows == {
        "silver.person": 3, "silver.service": 4, "silver.chronic": 3, "silver.diagnosis_opd": 2, "silver.orphan": 1,
        "silver.person_link": 4,
    }  # fmt: skip


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_every_order_of_three_deliveries_ends_in_the_same_silver(
    order: tuple[int, ...], lakes: Lakes, three: list[Path], in_order: dict[str, str]
) -> None:
    paths = sorted(three)
    found = lakes.silver_after([[paths[place]] for place in order])
    print(f"{order}: {whole(found)}")
    assert found == in_order


@pytest.mark.parametrize("order", [(2, 0, 1), pytest.param((0, 1, 2), marks=pytest.mark.long)], ids=str)
def test_three_deliveries_in_one_batch_end_in_the_same_silver(
    order: tuple[int, ...], lakes: Lakes, three: list[Path], in_order: dict[str, str]
) -> None:
    paths = sorted(three)
    assert lakes.silver_after([[paths[place] for place in order]]) == in_order


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))])
def test_five_deliveries_made_again_change_nothing_in_any_order(
    seed: int, lakes: Lakes, three: list[Path], in_order: dict[str, str], tmp_path: Path
) -> None:
    again = [
        written(tmp_path, "20260930080000", FIRST, "stored"),  # compressed anew
        written(tmp_path, "20260930080000", FIRST, "same"),  # under the same name
        written(tmp_path, "20261105080000", FIRST, "later"),  # under a later name
        written(tmp_path, "20261106080000", LATE, "stored"),  # renamed and compressed anew
        written(tmp_path, "20261014080000", LATE, "earlier"),  # under an earlier name
    ]
    dice = random.Random(seed)
    every = dice.sample([*three, *again], 8)
    cuts = sorted(dice.sample(range(1, 8), 3))
    batches = [every[start:end] for start, end in itertools.pairwise([0, *cuts, 8])]
    found = lakes.silver_after(batches)
    print(
        f"{[[path.parent.name + '/' + path.stem[10:] for path in batch] for batch in batches]}: {whole(found)}"
    )
    assert found == in_order


def test_the_hash_tells_another_silver(lakes: Lakes, three: list[Path], in_order: dict[str, str]) -> None:
    found = lakes.silver_after([sorted(three)[:2]])
    assert found["silver.service"] != in_order["silver.service"] and whole(found) != whole(in_order)
