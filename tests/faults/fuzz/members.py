"""Members of any file of the standard, made from its contract and then broken: texts, numbers, dates,
ends, bytes."""

from __future__ import annotations

import random
from dataclasses import dataclass

from khlang.model.codes import codes_of
from khlang.model.contract import Column, Contract, contracts
from khlang.model.policy import policy

FACILITY = "99001"
HIDDEN = frozenset(["direct_person", "direct_local", "staff", "name", "contact", "address", "free_text"])
"""Classes whose values must not leave the door."""

NUMBERS = ("0", "-0", "+1", "1e5", "NaN", "inf", "-inf", "1.", ".5", "1,200", "0x1F", "9" * 40,
           "-" + "9" * 18, "0.0000001",
           "1.5", "๑๒๐", "１２０", "1 2", "٣", "12٫5", "--1", "1-", "9223372036854775808", "1_000", "½",
           "")  # fmt: skip
DATES = ("00000000", "0000-00-00", "20240229", "25670229", "25430229", "20230229", "19000229",
         "00010101", "99991231",
         "24000101", "27001231", "27010101", "20261301", "20260132", "2026013", "202601311",
         "31/01/2569", "2026-01-31",
         "20260131235960", "20260131240000", "20260131000000", "25690131235959", "๒๕๖๙๐๑๓๑",
         "20260131T080000Z",
         "-2026013", "2026.131", "١٤٤٨٠١٠١", "20260131 ")  # fmt: skip
TEXTS = ("", " ", "\t", "่", "ก่่่", "น้ำ", "นํ้า", "\u200b", "ก\u200dข", "\ufeff", "\u202eabc",
         "\u00a0x\u00a0", "\x85", "\x0b", "\x0c",
         "\x1c", "\u2028", "\x7f", "\x00", "\x1a", "=1+1", "@SUM(A1)", "-5", '"', '""', "\\", "\\N",
         "\\|", "'", "N/A", "null", "NULL",
         "😀", "e\u0301", "\ufffd", "x" * 300, "ก" * 400, "<NAME>", "{0}", "%s", "$(id)", "E11.9",
         "e11.9", "..", "A0", "\U0010ffff",
         "\ufdd0", "1101700207030", "081-234-5678")  # fmt: skip
ENDS = (*["\r\n"] * 8, *["\n"] * 8, "\r", "\n\r", "\x85", "\x0b", "\u2028", "\r\r\n", "")
ENCODINGS = (
    *["utf-8"] * 12,
    "utf-8-sig",
    "utf-8-sig",
    "cp874",
    "cp874",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "latin-1",
    "utf-32",
    "tis-620",
)


@dataclass(frozen=True, slots=True)
class MemberCase:
    """Bytes of a member of one file, the identifiers planted in it, and how it is cut into pieces."""

    file: str
    body: bytes
    canaries: frozenset[str]
    chunk: int
    most: int


def _cid(dice: random.Random) -> str:
    digits = f"{dice.randrange(1, 9)}{dice.randrange(10**11):011d}"
    total = sum(int(digit) * (13 - at) for at, digit in enumerate(digits))
    return f"{digits}{(11 - total % 11) % 10}"


def secret(dice: random.Random, column: Column) -> str:
    """An identifier that no other text holds, and that the column takes."""
    if column.checksum == "cid":
        return _cid(dice)
    mark = f"ZQ{dice.randrange(36**9):011d}"
    if column.privacy in ("name", "address", "contact", "free_text"):
        return f"{mark}ทดสอบนามสมมติที่ยาวกว่าทุกคอลัมน์"
    return mark[: column.width or 13] if (column.width or 13) >= 9 else "1"


def usual(dice: random.Random, column: Column) -> str:
    """A right value of a column."""
    if column.name == "HOSPCODE":
        return FACILITY
    if column.codes:
        return dice.choice(sorted(codes_of(column.codes))[:40])
    if column.type in ("date", "datetime"):
        day = f"{dice.randrange(1950, 2027)}{dice.randint(1, 12):02d}{dice.randint(1, 28):02d}"
        return day + ("083000" if column.type == "datetime" else "")
    if column.type in ("int", "decimal"):
        return str(dice.randrange(10 ** min(column.width or 3, 3)))
    return str(dice.randrange(10 ** min(column.width or 4, 5)))


def _cell(dice: random.Random, column: Column, canaries: set[str], wildness: float) -> str:
    if dice.random() < wildness:
        return dice.choice(dice.choice([NUMBERS, DATES, TEXTS]))
    if column.privacy in HIDDEN and policy("lake").action(column) != "keep" and dice.random() < 0.7:
        value = secret(dice, column)
        if len(value) > 9:  # nine characters fit a facility code, where a row that is shifted may put them
            canaries.add(value)
        return value
    return usual(dice, column) if column.required or dice.random() < 0.3 else ""


def _header(dice: random.Random, contract: Contract, names: list[str]) -> str:
    """The header as some exporter writes it, or something like one."""
    if dice.random() < 0.6:
        return dice.choice(["|".join(names), "|".join(names).lower(), " | ".join(names)])
    names = list(names)
    aliased = {name: alias for alias, name in contract.aliases.items()}
    for _ in range(dice.choice([0, 0, 0, 1, 2])):
        at = dice.randrange(len(names))
        names[at] = dice.choice(
            [
                names[0],
                aliased.get(names[at], "X"),
                f" {names[at]} ",
                "",
                _cid(dice),
                f'"{names[at]}"',
                "\u200b" + names[at],
            ]
        )
    text = "|".join(names)
    return dice.choice(
        [
            text,
            text,
            text.lower(),
            text.replace("|", " | "),
            text + "|",
            text + "|SECRET",
            text[:-3],
            "|" * 3000,
        ]
    )


def _lines(dice: random.Random, contract: Contract, canaries: set[str]) -> list[str]:
    names = list(dice.choice(contract.layouts).columns)
    if dice.random() < 0.15:
        dice.shuffle(names)
    wildness = dice.choice([0, 0.02, 0.1, 0.4])
    lines = [_header(dice, contract, names)] if dice.random() < 0.85 else []
    for _ in range(dice.choice([0, 1, 2, 3, 3, 5, 8])):
        lines.append("|".join(_cell(dice, contract.column(name), canaries, wildness) for name in names))
    for _ in range(dice.choice([0, 0, 0, 1, 2])):
        odd = dice.choice(
            [
                "",
                "   ",
                "|",
                "||||||",
                "a|b",
                dice.choice(lines or ["x"]),
                "\t",
                "|" * 5000,
                dice.choice(TEXTS),
            ]
        )
        lines.insert(dice.randint(0, len(lines)), odd)
    if dice.random() < 0.003:
        lines.insert(
            dice.randint(0, len(lines)), dice.choice(["x", "ก", "|"]) * ((4 << 20) + dice.randrange(3))
        )
    return lines


def _text(dice: random.Random, lines: list[str]) -> str:
    end = dice.choice(ENDS)
    if dice.random() < 0.2:
        return "".join(line + dice.choice(ENDS) for line in lines)
    return end.join(lines) + (end if dice.random() < 0.7 else "")


def _encoded(dice: random.Random, text: str) -> bytes:
    if dice.random() < 0.1:  # each line as it likes
        return b"\n".join(line.encode(dice.choice(ENCODINGS), "ignore") for line in text.split("\n"))
    return text.encode(dice.choice(ENCODINGS), "ignore")


def _broken(dice: random.Random, body: bytes) -> bytes:
    """A few bytes changed, lost, doubled or put in."""
    for _ in range(dice.choice([0, 0, 0, 1, 1, 3])):
        at = dice.randint(0, len(body))
        piece = dice.choice([b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\r", b"\n", b"|",
                             b"\x80", b"\xa1", b"\xe0\xb8", b"\xed\xa0\x80",
                             b"\x1b", dice.randbytes(3), body[at : at + 40]])  # fmt: skip
        body = body[:at] + piece + body[at + dice.choice([0, 0, 1, 5]) :]
    if dice.random() < 0.02:
        body = body[: dice.randint(0, len(body))]
    return body


_FILES = list(contracts().values())
_WEIGHTS = [1 / len(contract.current) ** 1.5 for contract in _FILES]


def member_case(dice: random.Random) -> MemberCase:
    """One case: narrow files are drawn more often than wide ones, they are judged faster."""
    contract = dice.choices(_FILES, _WEIGHTS)[0]
    canaries: set[str] = set()
    body = dice.randbytes(dice.randrange(300))
    if dice.random() < 0.97:
        body = _broken(dice, _encoded(dice, _text(dice, _lines(dice, contract, canaries))))
    most = max(1, len(body) // dice.choice([1, 2, 3, 6]))
    chunk = dice.choice([3, 5, 16, 64, 1 << 16]) if len(body) < 1 << 17 else 1 << 16
    return MemberCase(contract.file, body, frozenset(canaries), chunk, most)
