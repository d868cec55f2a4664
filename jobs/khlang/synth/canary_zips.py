"""Members full of identifiers -> zips that are taken, and zips, names, comments and objects that never should be."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from khlang.model.contract import Contract, contracts
from khlang.synth import canary_rows
from khlang.synth.canaries import Mint
from khlang.synth.canary_rows import Desk, Lines
from khlang.synth.scenario import packed

FACILITIES: Mapping[str, tuple[str, ...]] = {
    "00901": (), "00902": ("elsewhere",), "00903": ("shifted",), "00904": ("elsewhere", "shifted"),
}  # fmt: skip
"""Codes below those that the invented sets draw, and the kinds of rows that each leaves to the others."""
NOBODY = "00999"
"""No registry knows it."""
SENT = datetime(2026, 10, 2, 9, 0)
ENCODINGS = {"00901": "utf-8", "00902": "cp874", "00903": "utf-8-sig", "00904": "utf-16"}
LONG_NOTE, TOO_LONG_NOTE = 100 << 10, (1 << 20) + (64 << 10)


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery: the file's name and bytes; `key`: where in the inbox it is put, `told` with which metadata."""

    name: str
    content: bytes = field(repr=False)
    key: str = ""
    told: Mapping[str, str] = field(default_factory=dict, repr=False)
    media: str = "application/zip"


@dataclass(frozen=True, slots=True)
class Canaries:
    """What is delivered, in its order, and every identifier in it."""

    sent: tuple[Sent, ...]
    mint: Mint


def invent_few(seed: int, persons: int = 8) -> Canaries:
    """Zips of one facility over all files; shifted rows are left to the full set."""
    mint = Mint(random.Random(seed))
    desk = Desk("00901", mint, [mint.person("person") for _ in range(persons)], ("shifted",))
    full = _full(desk, hard=False)
    return Canaries((full, *_strange(desk, full)), mint)


def invent(seed: int, persons: int) -> Canaries:
    """Zips of four facilities over all files in every way, every person in one of them."""
    mint = Mint(random.Random(seed))
    share = max(persons // len(FACILITIES), 8)
    desks = [
        Desk(code, mint, [mint.person("person") for _ in range(share)], leaves)
        for code, leaves in FACILITIES.items()
    ]
    sent = [_full(desk, hard=True) for desk in desks]
    sent += _strange(desks[0], sent[0])
    return Canaries(tuple(sent), mint)


def name_of(hospcode: str, number: int) -> str:
    """The name of the facility's zip of that number."""
    return f"F43_{hospcode}_{SENT + timedelta(minutes=number):%Y%m%d%H%M%S}.zip"


def encoded(lines: Lines, encoding: str) -> bytes:
    """Lines as an exporter of that encoding writes them; one byte of no encoding stands for its mark."""
    wrong = b"\xff\xfe\xfd"
    text = "\r\n".join(lines)
    if encoding.startswith("utf-16"):
        return text.replace("\ue000", "").encode(encoding)
    return text.encode(encoding, "replace").replace("\ue000".encode(), wrong)


def members(desk: Desk, of: Callable[[Desk, Contract], Lines], encoding: str = "utf-8") -> dict[str, bytes]:
    """One member for each file of the standard."""
    return {f"{c.file}.txt": encoded(of(desk, c), encoding) for c in contracts().values()}


def _full(desk: Desk, hard: bool) -> Sent:
    """Every way in every file; the names of the people of texts are in PERSON of the same zip."""
    held = members(desk, canary_rows.lines, ENCODINGS[desk.hospcode])
    if hard and desk.hospcode == "00901":
        for name, size in (("LABFU", LONG_NOTE), ("SERVICE", LONG_NOTE), ("DRUG_OPD", TOO_LONG_NOTE)):
            more = canary_rows.long_notes(desk, contracts()[name], size)
            held[f"{name}.txt"] += b"\r\n" + encoded(more, "utf-8")
    return Sent(name_of(desk.hospcode, 0), packed(held, SENT))


def _strange(desk: Desk, first: Sent) -> Iterator[Sent]:
    """What a facility should never send, and what lies about a zip rather than in it."""
    other = Desk("00902", desk.mint, desk.persons)
    yield Sent(name_of(desk.hospcode, 1), packed(members(desk, canary_rows.strange_header), SENT))
    yield _decorated(desk)
    yield from _refused(desk)
    yield from _badly_named(desk, first)
    yield from _told_beside(other)


def _small(desk: Desk, way: str) -> dict[str, bytes]:
    """A PERSON member of a few people, not equal to any other."""
    contract = contracts()["PERSON"]
    header = "|".join(column.name for column in contract.current)
    rows = ["|".join(canary_rows.cells(desk, contract, desk.mint.person(way), way).values()) for _ in "123"]
    return {"PERSON.txt": "\r\n".join([header, *rows]).encode()}


def _decorated(desk: Desk) -> Sent:
    """A good zip whose comments, extra fields and other members' names hold identifiers."""
    mint, body = desk.mint, io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in _small(desk, "zip with comments").items():
            item = zipfile.ZipInfo(name, (2026, 10, 2, 9, 0, 0))
            item.comment = mint.cid("member's comment").encode()
            value = mint.cid("extra field").encode()
            item.extra = b"\x75\x70" + len(value).to_bytes(2, "little") + value
            made.writestr(item, content)
        person = mint.person("member's name")
        for name in (
            f"ประวัติ {person.full} {person.cid}.pdf", f"{person.cid}.txt", f"{person.full}/SERVICE.txt",
            f"PERSON_{person.cid}.txt", f"{person.hn}/", f"person.{person.phone}",
        ):  # fmt: skip
            made.writestr(name, f"HOSPCODE|PID\r\n{desk.hospcode}|{mint.cid('unknown member')}".encode())
        made.comment = f"{person.full} {mint.cid('zip comment')}".encode()
    return Sent(name_of(desk.hospcode, 2), body.getvalue())


def _refused(desk: Desk) -> Iterator[Sent]:
    """Zips that are rejected whole, each for a cause of its own."""
    mint, code = desk.mint, desk.hospcode
    content = packed(_small(desk, "truncated zip"), SENT)
    yield Sent(name_of(code, 3), content[: len(content) * 2 // 3])
    text = f"{mint.person('wrong file').full} {mint.cid('wrong file')}".encode()
    yield Sent(name_of(code, 4), text)
    cid = mint.cid("path in a zip")
    yield Sent(name_of(code, 5), packed({f"../{cid}.txt": text}, SENT))
    locked = bytearray(packed(_small(desk, "encrypted zip"), SENT))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(mark) + at] |= 1
    yield Sent(name_of(code, 6), bytes(locked))
    yield Sent(name_of(NOBODY, 0), packed(_small(desk, "unknown facility"), SENT))
    inner = packed(_small(desk, "zip in a zip"), SENT)
    yield Sent(name_of(code, 7), packed({f"{mint.cid('zip in a zip')}.zip": inner}, SENT))
    bomb = mint.cid("bomb").encode() + b"0" * (18 << 20)
    yield Sent(name_of(code, 8), packed({"PERSON.txt": bomb}, SENT))


def _badly_named(desk: Desk, first: Sent) -> Iterator[Sent]:
    """Names that are identifiers; one content under two names."""
    mint = desk.mint
    person = mint.person("zip's name")
    for name in (f"F43_{person.cid}.zip", f"{person.full}.zip", f"F43_{desk.hospcode}_{person.phone}.zip"):
        yield Sent(name, packed(_small(desk, "badly named zip"), SENT))
    yield Sent(name_of(desk.hospcode, 9), first.content)


def _told_beside(desk: Desk) -> Iterator[Sent]:
    """Objects of the inbox: identifiers in keys, folders, metadata, media types; things that are no zip."""
    mint, code = desk.mint, desk.hospcode
    name = name_of(code, 10)
    told = {"patient": mint.cid("object's metadata"), "hn": mint.local("object's metadata")}
    yield Sent(name, packed(_small(desk, "upload"), SENT), f"{code}/{name}", told,
               f"text/{mint.local('media type').lower()}")  # fmt: skip
    name = name_of(code, 11)
    key = f"{code}/{mint.name()}/{mint.cid('folder of the inbox')}/{name}"
    yield Sent(name, packed(_small(desk, "upload"), SENT), key)
    name = f"{mint.cid('key of the inbox')}.zip"
    yield Sent(name, packed(_small(desk, "upload"), SENT), f"{code}/{name}")
    name = f"{mint.cid('thing in the inbox')}.csv"
    yield Sent(name, mint.cid("thing in the inbox").encode(), f"{code}/{name}")
    name = name_of("00903", 12)
    yield Sent(name, packed(_small(desk, "other's zip"), SENT), f"{code}/{name}")
