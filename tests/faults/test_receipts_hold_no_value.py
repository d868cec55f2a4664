"""Hundreds of kinds of faults are forced with known values in every cell: no receipt, failure or log shows one."""

from __future__ import annotations

import io
import json
import logging
import random
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import polars as pl
import pytest
from rich.console import Console

from fuzz.members import HIDDEN, secret, usual
from khlang.commands.receipt_form import Heading, show
from khlang.conform import parse
from khlang.conform.dry import check
from khlang.conform.unpack import verify
from khlang.errors import KhlangError
from khlang.lake.scan.canaries import Canaries
from khlang.lake.scan.search import Search
from khlang.model.contract import Column, Contract, contracts
from khlang.model.receipt import Receipt
from khlang.receipts.page import receipt_page
from khlang.receipts.view import view_of
from khlang.settings import Settings
from zips import zipped

FACILITY, NAME = "99001", "F43_99001_20261101083000.zip"
LIMITS = Settings()  # type: ignore[call-arg]
KINDS = 200
LONG = 9
"""Characters of a value that stands in no text by chance."""


def _text(receipt: Receipt, *langs: str) -> str:
    console = Console(file=io.StringIO(), width=200)
    show(console, receipt, Heading(), langs)  # type: ignore[arg-type]
    return console.file.getvalue()  # type: ignore[attr-defined]


RENDERERS: dict[str, Callable[[Receipt], str]] = {
    "json": lambda receipt: json.dumps(receipt.as_json(), ensure_ascii=False),
    "json for machines": lambda receipt: "".join(receipt.json_text()),
    "text in Thai": lambda receipt: _text(receipt, "th"),
    "text in English": lambda receipt: _text(receipt, "en"),
    "text in both": lambda receipt: _text(receipt, "th", "en"),
    "page": lambda receipt: receipt_page(view_of(receipt), Heading()),
    "as it prints itself": repr,
}
"""Every form in which a receipt leaves: a new one is added here."""


@dataclass(frozen=True, slots=True)
class Forced:
    """A zip full of faults, and every value in it that means someone."""

    body: bytes
    values: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Maker:
    """Rows of one file, each with one cell gone wrong; every value that is long enough is noted."""

    dice: random.Random
    values: set[str] = field(default_factory=set)

    def noted(self, value: str) -> str:
        """Keep it among the values, if it can be told from chance."""
        if len(value) >= LONG:
            self.values.add(value)
        return value

    def row(self, contract: Contract) -> dict[str, str]:
        """Right values; each identifier, name, contact, address and note a value of its own."""
        cells = {}
        for column in contract.current:
            hidden = column.privacy in HIDDEN and column.type == "char"
            cells[column.name] = self.noted(secret(self.dice, column)) if hidden else usual(self.dice, column)
        return cells

    def wrong(self, column: Column) -> Iterator[str]:
        """Values of a column that break its rules, each unlike any other."""
        token = f"ZQ{self.dice.randrange(10**12):012d}"
        yield token  # no date, no number, no code, too long
        yield f" {token[:LONG]} "
        yield str(self.dice.randrange(10**12, 10**13))  # a number too long, a citizen id with a wrong digit
        yield "".join(chr(0x0E50 + int(digit)) for digit in f"{self.dice.randrange(10**12):013d}")
        yield ""

    def lines(self, contract: Contract) -> Iterator[str]:
        """The header, with a name of its own in it, and a row for every way in which every column goes wrong."""
        names = [column.name for column in contract.current]
        yield "|".join([*names, self.noted(f"สมชาย{self.dice.randrange(10**12):013d}")])
        for column in contract.current:
            for value in self.wrong(column):
                cells = self.row(contract) | {column.name: self.noted(value.strip())}
                yield "|".join([*cells.values(), "x"])
        yield "|".join(
            [*self.row(contract).values(), "x", self.noted(f"ZQ{self.dice.randrange(10**12):012d}")]
        )
        yield "|".join([*self.row(contract).values(), "\x00"])


@pytest.fixture(scope="module")
def forced() -> Forced:
    maker = _Maker(random.Random(20261101))
    members = {f"{c.file}.txt": "\r\n".join(maker.lines(c)).encode() for c in contracts().values()}
    return Forced(zipped(members), frozenset(maker.values))


@pytest.fixture(scope="module")
def search(forced: Forced) -> Search:
    """Ready for every value in plain, cp874, UTF-16, base64, hexadecimal and other spellings."""
    values = sorted(forced.values)
    return Search.of(Canaries.of(pl.DataFrame({"kind": "value", "value": values, "scan": True})))


def clean(search: Search, text: str) -> bool:
    """Whether no value stands in a text."""
    return search.find(text.encode()) == []


@pytest.fixture(scope="module")
def receipt(forced: Forced) -> Receipt:
    return check(io.BytesIO(forced.body), NAME, LIMITS)


def test_the_search_sees_a_value_in_every_form_of_a_receipt_that_holds_one(
    forced: Forced, search: Search, receipt: Receipt
) -> None:
    from dataclasses import replace

    value = sorted(forced.values)[0]
    spoiled = replace(receipt, zip=value, members=receipt.members[:1])
    assert [name for name, form in RENDERERS.items() if clean(search, form(spoiled))] == []


@pytest.mark.parametrize("form", RENDERERS)
def test_no_form_of_a_receipt_holds_a_value(
    form: str, search: Search, receipt: Receipt, forced: Forced
) -> None:
    kinds = {(f.code, m.table, f.column) for m in receipt.members for f in m.faults}
    kinds |= {(code, m.table, None) for m in receipt.members for code in m.codes}
    text = RENDERERS[form](receipt)
    print(f"{len(kinds):,} kinds of faults, {len(forced.values):,} values, {len(text):,} characters: {form}")
    assert len(kinds) >= KINDS and len({code for code, _, _ in kinds}) >= 14 and len(forced.values) > 5000
    assert len(receipt.members) == len(contracts()) and len(text) > 1000
    assert clean(search, text)


def test_nothing_is_logged_or_printed_of_a_value_while_faults_are_found(
    forced: Forced, search: Search, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    assert check(io.BytesIO(forced.body), NAME, LIMITS).state == "checked"
    printed = capfd.readouterr()
    assert clean(search, caplog.text + repr([vars(record) for record in caplog.records]))
    assert clean(search, printed.out + printed.err)


def test_a_failure_in_the_middle_of_a_file_tells_no_value(
    forced: Forced, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = pl.read_csv
    monkeypatch.setattr(parse.pl, "read_csv", lambda *given, **more: read(*given, **more).head(1))
    with pytest.raises(KhlangError, match=r"conform\.rows") as failure:
        check(io.BytesIO(forced.body), NAME, LIMITS)
    told = "".join(traceback.format_exception(failure.value)) + repr(failure.value)
    assert "lines were split into" in told and clean(search, told)


def test_zips_that_are_refused_show_no_name_of_a_member(forced: Forced, search: Search) -> None:
    value = next(value for value in sorted(forced.values) if value.isascii())
    for members in ({f"../{value}.txt": b"x"}, {f"{value}.txt": b"x", f"{value.lower()}.TXT": b"y"}):
        found = verify(io.BytesIO(zipped(members)), NAME, LIMITS)
        assert found.code == "zip.path" and clean(search, repr(found))
        for form in RENDERERS.values():
            assert clean(search, form(check(io.BytesIO(zipped(members)), NAME, LIMITS)))
