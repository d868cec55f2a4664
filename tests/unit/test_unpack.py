"""A zip's verdict: accepted with its members, or refused by the first code that applies."""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import dataclass

import pytest

from khlang.conform import unpack
from khlang.conform.unpack import Unpacked, Verdict, pieces
from khlang.errors import StoreError
from khlang.settings import Settings

from .path_tricks import TRICKS
from .zips import NAME, PERSON, claiming, flagged, overlapping, zipped

LIMITS = Settings()


@dataclass(frozen=True, slots=True)
class Small:
    """Limits that a small zip can pass."""

    max_members: int = 3
    max_member_bytes: int = 1000
    max_total_bytes: int = 1500
    max_ratio: int = 20
    max_ratio_after: int = 500
    max_seconds: float = 60


def verify(body: bytes, name: str = NAME, limits: unpack.Limits = LIMITS) -> Verdict:
    return unpack.verify(io.BytesIO(body), name, limits)


def noise(size: int, seed: int = 1) -> bytes:
    import random

    return random.Random(seed).randbytes(size)


def test_an_honest_zip_is_accepted_and_its_members_are_named() -> None:
    verdict = verify(zipped({"x/": b"", "x/PERSON.txt": PERSON, "readme.pdf": b"%"}))
    assert verdict.code is None and verdict.name is not None and verdict.name.hospcode == "99001"
    assert [(e.position, e.name, e.file, e.bytes) for e in verdict.entries] == [
        (1, "x/PERSON.txt", "PERSON", len(PERSON)),
        (2, "readme.pdf", None, 1),
    ]


def test_a_stored_and_a_deflated_zip_have_the_same_content() -> None:
    members = {"PERSON.txt": PERSON, "HOME.txt": b"HOSPCODE|HID\n"}
    stored, folded = zipped(members, zipfile.ZIP_STORED), zipped(dict(reversed(members.items())))
    in_folder = zipped({f"F43_99001_20261101083000/{name}": body for name, body in members.items()})
    assert verify(stored).content == verify(folded).content == verify(in_folder).content is not None


def test_another_byte_or_another_name_is_another_content() -> None:
    contents = {
        verify(zipped({name: body})).content
        for name, body in (("PERSON.txt", b"a"), ("PERSON.txt", b"b"), ("HOME.txt", b"a"))
    }
    assert len(contents) == 3


@pytest.mark.parametrize(
    "body",
    [b"", b"not a zip", zipped({"PERSON.txt": PERSON})[:-30], zipped({"PERSON.txt": PERSON})[30:-1]],
    ids=["empty", "text", "cut short", "cut at both ends"],
)
def test_what_is_no_whole_zip_is_unreadable(body: bytes) -> None:
    assert verify(body).code == "zip.unreadable"


def test_a_member_whose_crc_fails_is_unreadable() -> None:
    body = zipped({"PERSON.txt": b"abcdefgh"}, zipfile.ZIP_STORED)
    assert verify(body.replace(b"abcdefgh", b"abcdefgi")).code == "zip.unreadable"


@pytest.mark.parametrize("claimed", [0, 5, len(PERSON) - 1, len(PERSON) + 1, 1 << 31])
def test_a_directory_that_lies_about_a_size_is_unreadable(claimed: int) -> None:
    assert verify(claiming(zipped({"PERSON.txt": PERSON}), claimed)).code == "zip.unreadable"


def _end(body: bytes, offset: int, form: str, value: int) -> bytes:
    """The zip with another number in its end record."""
    changed = bytearray(body)
    struct.pack_into(form, changed, body.rindex(b"PK\x05\x06") + offset, value)
    return bytes(changed)


HIDING = {
    "no entry and no directory": lambda body: _end(_end(body, 10, "<H", 0), 12, "<I", 0),
    "none of all, in both counts": lambda body: _end(_end(_end(body, 8, "<H", 0), 10, "<H", 0), 12, "<I", 0),
    "another count on this disk": lambda body: _end(body, 8, "<H", 2),
    "a zip behind it": lambda body: body + zipped({"HOME.txt": b"HOSPCODE|HID\n"}),
    "an empty zip behind it": lambda body: body + b"PK\x05\x06" + bytes(18),
    "something before it": lambda body: b"x" + body,
}


@pytest.mark.parametrize("how", HIDING)
def test_an_end_record_that_hides_members_is_unreadable(how: str) -> None:
    assert verify(HIDING[how](zipped({"PERSON.txt": PERSON}))).code == "zip.unreadable"


@pytest.mark.parametrize("large", [False, True])
def test_the_end_record_of_an_honest_zip_is_believed(large: bool) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as made:
        with made.open("PERSON.txt", "w", force_zip64=True) as stream:
            stream.write(PERSON)
        made.comment = b"43 files" if not large else b""
    whole = body.getvalue()
    if large:  # as a zip of more than 65,535 members or 4 GiB ends
        at = whole.rindex(b"PK\x05\x06")
        count, size, start = struct.unpack_from("<HII", whole, at + 10)
        end64 = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
        locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, at, 1)
        told = struct.pack("<HHII", 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
        whole = whole[:at] + end64 + locator + whole[at : at + 8] + told + whole[at + 20 :]
    assert (
        verify(whole).code is None and verify(whole).content == verify(zipped({"PERSON.txt": PERSON})).content
    )


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_whose_memory_can_not_be_bounded_are_unreadable(method: int) -> None:
    assert verify(zipped({"PERSON.txt": PERSON}, method)).code == "zip.unreadable"


def test_a_member_with_a_password_is_named() -> None:
    assert verify(flagged(zipped({"PERSON.txt": PERSON}), 0x1)).code == "zip.encrypted"


@pytest.mark.parametrize("trick", TRICKS)
def test_a_name_that_could_leave_its_folder_or_stands_twice_is_refused(trick: str) -> None:
    assert verify(TRICKS[trick]).code == "zip.path"


@pytest.mark.parametrize("name", ["a..b/PERSON.txt", "...", "x/PERSON.txt", "โฟลเดอร์/PERSON.txt"])
def test_a_harmless_name_is_no_trick(name: str) -> None:
    assert verify(zipped({name: b"x"})).code is None


def test_a_bomb_is_told_by_bytes_inflated() -> None:
    assert verify(zipped({"PERSON.txt": b"0" * (64 << 20)})).code == "zip.bomb"
    assert verify(zipped({"PERSON.txt": b"0" * (16 << 20)})).code is None


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"A.txt": noise(1000), "B.txt": b"", "C.txt": b""}, None),
        ({"A.txt": noise(1001)}, "zip.bomb"),
        ({"A.txt": noise(900), "B.txt": noise(700, 2)}, "zip.bomb"),
        ({"A.txt": b"", "B.txt": b"", "C.txt": b"", "D.txt": b""}, "zip.bomb"),
        ({"A.txt": b"0" * 900}, "zip.bomb"),
        ({"A.txt": b"0" * 450, "B.txt": b"0" * 450}, "zip.bomb"),
        ({"A.txt": b"0" * 450}, None),
    ],
    ids=["at the limits", "member", "total", "members", "ratio", "ratio of the whole", "below ratio's start"],
)
def test_each_limit_makes_a_bomb_and_its_edge_does_not(members: dict[str, bytes], code: str | None) -> None:
    assert verify(zipped(members), limits=Small()).code == code


def test_members_that_share_bytes_are_a_bomb() -> None:
    apart = zipped({"A.txt": noise(50), "B.txt": noise(50, 2)}, zipfile.ZIP_STORED)
    assert verify(apart).code is None
    assert verify(overlapping(apart)).code == "zip.bomb"


def test_a_zip_that_takes_too_long_to_inflate_is_a_bomb() -> None:
    class Slow:
        """Every look at the clock is so many seconds after the one before."""

        def __init__(self, step: float) -> None:
            self.step, self.now = step, 0.0

        def __call__(self) -> float:
            self.now += self.step
            return self.now

    body = zipped({"A.txt": noise(900), "B.txt": noise(50, 2)})
    # Each member is read twice: its bytes, then its end.
    assert unpack.verify(io.BytesIO(body), NAME, Small(), Slow(15)).code is None
    assert unpack.verify(io.BytesIO(body), NAME, Small(), Slow(15.1)).code == "zip.bomb"


def test_the_time_between_two_pieces_is_the_readers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    body, now = zipped({"A.txt": noise(400_000)}), [0.0]
    monkeypatch.setattr(unpack, "READ_BYTES", 1000)
    with Unpacked(io.BytesIO(body), LIMITS, lambda: now[0]) as unpacked:
        count = 0
        for piece in unpacked.pieces(1):
            now[0] += LIMITS.max_seconds  # what is done with a piece takes an hour
            count += len(piece)
    assert count == 400_000


def test_a_directory_of_very_many_entries_is_a_bomb_without_being_read() -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as made:
        for number in range(40_000):
            made.writestr(f"{number}.txt", b"")
    assert verify(body.getvalue()).code == "zip.bomb"


def test_a_bad_name_answers_before_everything_else() -> None:
    assert verify(b"no zip", "43F-02220-202609.zip").code == "zip.name"


def test_the_first_code_that_applies_answers() -> None:
    broken = zipped({"../x.txt": b"abcdefgh", "PERSON.txt": b"0"}, zipfile.ZIP_STORED)
    broken = broken.replace(b"abcdefgh", b"abcdefgi")
    assert verify(broken).code == "zip.unreadable"
    locked = flagged(zipped({"../x.txt": b"x", "PERSON.txt": b"0"}), 0x1)
    assert verify(locked).code == "zip.encrypted"
    tricky = zipped({"../PERSON.txt": b"0" * (64 << 20)})
    assert verify(tricky).code == "zip.path"
    many = zipped({f"../{number}.txt": b"" for number in range(4)})
    assert verify(many, limits=Small()).code == "zip.path"


def test_a_failing_store_is_no_bad_zip() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("the store is gone")

    with pytest.raises(StoreError, match=r"zip\.source"):
        unpack.verify(Failing(zipped({"PERSON.txt": PERSON})), NAME, LIMITS)


def test_a_member_is_read_by_its_position_folders_not_counted() -> None:
    body = zipped({"x/": b"", "x/PERSON.txt": PERSON, "HOME.txt": b"h"})
    with Unpacked(io.BytesIO(body), LIMITS) as unpacked:
        assert [unpacked.body(1), unpacked.body(2), unpacked.body(1)] == [PERSON, b"h", PERSON]
    assert b"".join(pieces(io.BytesIO(body), 2, LIMITS)) == b"h"


@pytest.mark.parametrize("position", [0, 3, -1])
def test_a_position_that_is_not_there_is_refused(position: int) -> None:
    with pytest.raises(zipfile.BadZipFile):
        list(pieces(io.BytesIO(zipped({"A.txt": b"a", "B.txt": b"b"})), position, LIMITS))


def test_reading_a_member_is_bounded_too() -> None:
    body = zipped({"A.txt": b"0" * 5000})
    with pytest.raises(zipfile.BadZipFile, match="over the limits"):
        list(pieces(io.BytesIO(body), 1, Small()))


def test_members_are_inflated_by_isa_l_and_stored_ones_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    original = unpack.isal_zlib.decompressobj

    class Counted:
        """ISA-L's object, which counts what it inflates."""

        def __init__(self, bits: int) -> None:
            self._own, self.bytes = original(bits), 0
            made.append(self)

        def decompress(self, deflated: bytes, most: int = 0) -> bytes:
            found: bytes = self._own.decompress(deflated, most)
            self.bytes += len(found)
            return found

        def flush(self) -> bytes:
            found: bytes = self._own.flush()
            self.bytes += len(found)
            return found

        def __getattr__(self, name: str) -> object:
            return getattr(self._own, name)

    monkeypatch.setattr(unpack.isal_zlib, "decompressobj", Counted)
    body = b"HOSPCODE|PID\n" + b"99001|1\n" * 50_000
    assert verify(zipped({"PERSON.txt": body})).entries[0].bytes == len(body)
    assert [one.bytes for one in made] == [len(body)]
    assert verify(zipped({"PERSON.txt": body}, zipfile.ZIP_STORED)).entries[0].bytes == len(body)
    assert len(made) == 1
