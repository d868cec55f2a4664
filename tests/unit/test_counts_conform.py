"""What conforming costs, counted: members of a file are read at once, a pseudonym is worked out once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
import pytest

from khlang.conform import conform as steps
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


def _counted(members: list[Member], monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a text is split, all columns are read, a class is de-identified."""
    counts: Counter[str] = Counter()

    def counting(name: str, real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            counts[name] += 1
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patched:
        for module, name in (
            (pl, "read_csv"),
            (steps, "typed_frame"),
            (steps, "deidentify"),
            (steps, "assemble"),
        ):
            patched.setattr(module, name, counting(name, getattr(module, name)))
        done = conform(members, _rules("DIAGNOSIS_OPD", Pseudonymiser.throwaway()))
    assert sum(result.accepted for result in done.members) == 5 * len(members)
    return counts


@pytest.mark.parametrize("members", [1, 40])
@pytest.mark.parametrize("headers", [1, 3])
def test_all_members_of_a_file_are_read_at_once_and_split_once_a_header(
    members: int, headers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = [_member(n, (FULL, SHORT, LOWER)[n % headers]) for n in range(members)]
    layouts = len({member.body.splitlines()[0].upper() for member in written})
    assert _counted(written, monkeypatch) == {
        "read_csv": layouts, "typed_frame": 1, "deidentify": 1, "assemble": 1,
    }  # fmt: skip


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
