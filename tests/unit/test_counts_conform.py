"""What conforming costs, counted: selects do not grow with members or headers, a pseudonym is worked out once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
import pytest

from khlang.conform.conform import Rules, conform
from khlang.conform.member import Member
from khlang.conform.pseudonym import Pseudonymiser
from khlang.conform.text.names import Names
from khlang.model.contract import contracts
from khlang.model.policy import policy

from .members import FACILITY, SENT

FULL = "HOSPCODE|PID|SEQ|DATE_SERV|DIAGTYPE|DIAGCODE|CLINIC|PROVIDER|D_UPDATE|CID"
SHORT = FULL.removesuffix("|CID")
LOWER = FULL.lower()


def _member(number: int, header: str) -> Member:
    rows = [
        f"{FACILITY}|{number:03d}{row}|{number:05d}{row}|20260901|1|J00|00100|P{row}|20260901080000"
        + ("|" if header.count("|") == FULL.count("|") else "")
        for row in range(5)
    ]
    body = "\n".join([header, *rows]).encode()
    return Member(f"R{number}", 1, FACILITY, SENT, number, body)


def _rules(file: str, keys: Pseudonymiser) -> Rules:
    return Rules(contracts()[file], policy("lake"), keys, Names.from_frames(None, None, None))


def _selects(members: list[Member], monkeypatch: pytest.MonkeyPatch) -> int:
    counts: Counter[str] = Counter()
    real = pl.LazyFrame.collect

    def collect(frame: pl.LazyFrame, *args: Any, **kwargs: Any) -> Any:
        counts["collect"] += 1
        return real(frame, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(pl.LazyFrame, "collect", collect)
        done = conform(members, _rules("DIAGNOSIS_OPD", Pseudonymiser.throwaway()))
    assert sum(result.accepted for result in done.members) == 5 * len(members)
    return counts["collect"]


def test_the_number_of_selects_is_that_of_one_member_whatever_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    _selects([_member(0, FULL)], monkeypatch)  # what is made once
    one = _selects([_member(1, FULL)], monkeypatch)
    many = _selects([_member(n, FULL) for n in range(40)], monkeypatch)
    mixed = _selects([_member(n, (FULL, SHORT, LOWER)[n % 3]) for n in range(40)], monkeypatch)
    assert many <= one + 2
    # A header more costs its own reading and no column's rules again.
    assert mixed <= many + 12
    assert one < 60


def test_a_patient_of_many_files_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: Counter[str] = Counter()
    real = Pseudonymiser._hashed

    def count(keys: Pseudonymiser, domain: str, values: list[str]) -> list[str | None]:
        hashed[domain] += len(values)
        return real(keys, domain, values)

    monkeypatch.setattr(Pseudonymiser, "_hashed", count)
    keys = Pseudonymiser.throwaway()
    for _ in range(3):
        conform([_member(n, FULL) for n in range(4)], _rules("DIAGNOSIS_OPD", keys))
    assert hashed["patient"] == hashed["visit"] == 20


def test_few_remembered_pseudonyms_are_as_right_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    values = pl.Series([f"{n:05d}" for n in range(50)])
    keys = Pseudonymiser.derived(b"k" * 32, "lake", 1)
    remembered = keys.of("patient", values)
    monkeypatch.setattr("khlang.conform.pseudonym.MOST_KNOWN", 10)
    forgetful = Pseudonymiser.derived(b"k" * 32, "lake", 1)
    assert all(forgetful.of("patient", values).equals(remembered) for _ in range(3))
