"""Every file of the standard -> lines in which identifiers stand where they belong and where they do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

from khlang.model.codes import codes_of
from khlang.model.contract import Column, Contract
from khlang.synth.canaries import Mint, Person, is_hidden, secret, spelled

NOTES = (
    "ผู้ป่วย {own} มาตรวจ", "นาย{own} เลขบัตร {cid}", "โทร {phone} ติดต่อ {own}", "ปชช {cid} HN {hn}",
    "ญาติแจ้ง {cid} เบอร์ {phone}", "อีเมล {email} ของ{own}", "PID {pid} {own}",
)  # fmt: skip
"""Notes with what the scrubber promises to take out: the patient's own names and numbers, ids, phones, mail."""
Lines = Iterator[str]


@dataclass(frozen=True, slots=True)
class Desk:
    """Who writes: one facility, its invented persons, the mint, the kinds of rows that it leaves to others."""

    hospcode: str
    mint: Mint
    persons: Sequence[Person]
    leaves: tuple[str, ...] = ()

    def turn(self) -> Iterator[Person]:
        """The persons, again and again."""
        return cycle(self.persons)


def usual(desk: Desk, column: Column) -> str:
    """A right value of a column that holds no identifier."""
    if column.name == "HOSPCODE":
        return desk.hospcode
    dice = desk.mint.dice
    if column.codes:
        return dice.choice(sorted(codes_of(column.codes))[:40])
    if column.type in ("date", "datetime"):
        day = f"2026{dice.randint(1, 9):02d}{dice.randint(1, 28):02d}"
        return day + ("083000" if column.type == "datetime" else "")
    if column.type in ("int", "decimal"):
        low, high = column.range or (0, 9)
        return str(int(min(max(low, dice.randint(1, 9)), high)))
    return str(dice.randrange(10 ** min(column.width or 4, 4)))


def cells(desk: Desk, contract: Contract, person: Person, way: str) -> dict[str, str]:
    """A right row about a person: every hidden column holds an identifier."""
    own = {"PID": person.pid, "HN": person.hn, "NAME": person.name, "LNAME": person.lname, "CID": person.cid,
           "MOBILE": person.phone}  # fmt: skip
    made = {}
    for column in contract.current:
        mine = own.get(column.name) if contract.file == "PERSON" or column.name == "PID" else None
        hidden = secret(desk.mint, column, way) if is_hidden(column) and not mine else ""
        made[column.name] = mine or hidden or usual(desk, column)
    return made


def _line(row: dict[str, str]) -> str:
    return "|".join(row.values())


def own(desk: Desk, contract: Contract) -> Lines:
    """Identifiers in their own columns; each row a second time, and once without a date where one is needed."""
    people = desk.persons if contract.file == "PERSON" else desk.persons[:4]
    for person in people:
        yield _line(cells(desk, contract, person, "own column"))
    row = cells(desk, contract, desk.persons[0], "repeated row")
    yield from [_line(row)] * 2
    for name in contract.key:
        yield _line(cells(desk, contract, desk.persons[0], "refused row") | {name: ""})


def elsewhere(desk: Desk, contract: Contract) -> Lines:
    """Each kind of identifier in each column: codes, numbers, dates, ids of other kinds, texts."""
    turn = desk.turn()
    for column in contract.current:
        for kind, make in _STRANGE.items():
            person = next(turn)
            value = make(desk, person, f"in {column.type} column {column.privacy}")
            yield _line(cells(desk, contract, person, f"beside {kind}") | {column.name: value})


def _fresh(spelling: str) -> Callable[[Desk, Person, str], str]:
    def _made(desk: Desk, person: Person, way: str) -> str:
        return spelled(desk.mint.cid(way))[spelling]

    return _made


_STRANGE: dict[str, Callable[[Desk, Person, str], str]] = {
    "cid": _fresh("plain"), "cid dashed": _fresh("dashed"), "cid thai": _fresh("thai"),
    "phone": lambda desk, person, way: desk.mint.phone(way),
    "hn": lambda desk, person, way: person.hn, "name": lambda desk, person, way: person.full,
    "lname": lambda desk, person, way: person.lname,
    "email": lambda desk, person, way: desk.mint.text("email", way),
}  # fmt: skip


def shifted(desk: Desk, contract: Contract) -> Lines:
    """One pipe too many, one too few, and both: from there on each value stands in its neighbour's column."""
    turn = desk.turn()
    for at in range(len(contract.current)):
        for way in ("more", "less", "both"):
            values = list(cells(desk, contract, next(turn), f"shifted row, {way}").values())
            if way != "less":
                values.insert(at, "")
            if way == "less":
                del values[at]
            if way == "both":
                del values[-1]
            yield "|".join(values)


def noted(desk: Desk, contract: Contract) -> Lines:
    """Identifiers of all spellings in every column of free text."""
    turn, way = desk.turn(), "note"
    for column in contract.current:
        if column.privacy != "free_text":
            continue
        for text in NOTES:
            for spelling in spelled("0" * 13):
                person, mint = next(turn), desk.mint
                told = text.format(
                    own=person.full, cid=spelled(mint.cid(way))[spelling], hn=person.hn, pid=person.pid,
                    phone=spelled(mint.phone(way))[spelling], email=mint.text("email", way),
                )  # fmt: skip
                yield _line(cells(desk, contract, person, "beside a note") | {column.name: told})


def untold(desk: Desk, contract: Contract) -> Lines:
    """Notes with the bare name of a patient whom no PERSON tells: only withholding them keeps the name back."""
    names = [column.name for column in contract.current]
    for column in contract.current:
        if column.privacy == "free_text" and "PID" in names:
            person = desk.mint.person("untold person")
            told = cells(desk, contract, person, "beside an untold name")
            yield _line(told | {column.name: f"{person.full} มาตรวจ"})


def long_notes(desk: Desk, contract: Contract, size: int) -> Lines:
    """One note of so many bytes in the first column of free text, full of identifiers at its end."""
    for column in [c for c in contract.current if c.privacy == "free_text"][:1]:
        person = desk.persons[0]
        tail = f" {person.full} {desk.mint.cid('long note')} {desk.mint.phone('long note')}"
        text = ("ปวดท้อง " * (size // 22 + 1)) + tail
        yield _line(cells(desk, contract, person, "beside a long note") | {column.name: text})


def broken(desk: Desk, contract: Contract) -> Lines:
    """Bytes of no text, control characters, a row of one cell, quotes around everything."""
    person = desk.persons[-1]
    row = cells(desk, contract, person, "broken row")
    yield _line(row) + "\x00"
    yield _line(row).replace("|", "|\x07", 1)
    yield desk.mint.cid("broken row")
    yield '"' + '"|"'.join(cells(desk, contract, person, "quoted row").values()) + '"'
    yield _line(cells(desk, contract, person, "byte of no encoding")) + "\ue000"


def lines(desk: Desk, contract: Contract) -> Lines:
    """The header and every kind of row of one file; the desk leaves some kinds to others."""
    yield "|".join(column.name for column in contract.current)
    for way in (own, elsewhere, shifted, noted, untold, broken):
        if way.__name__ not in desk.leaves:
            yield from way(desk, contract)


def strange_header(desk: Desk, contract: Contract) -> Lines:
    """A column that is called by an identifier, another that nobody knows, both full of identifiers."""
    names = [column.name for column in contract.current]
    strange = [desk.mint.keep("name", "column's name", desk.mint.name()), desk.mint.cid("column's name")]
    yield "|".join([*names, *strange])
    for person in desk.persons[:2]:
        values = cells(desk, contract, person, "beside a strange column").values()
        yield "|".join([*values, desk.mint.cid("unknown column"), desk.mint.phone("unknown column")])
