"""Zips whose members' names could leave the folder they are unpacked in,
or that are no plain files: zip.path."""

from __future__ import annotations

import stat
import zipfile

from zips import renamed, with_entry, zipped

X = b"x"
NAMES = (
    "/x", "//x", "///etc/PERSON.txt", "/etc/PERSON.txt", "/../x", "/C:/x",
    "..", "../", "../x", "../x/", "../../PERSON.txt", "a/..", "a/../x", "a/../../PERSON.txt", "./../x",
    "a/b/../../../x",
    "F43_99001_20261101083000/../x", "แฟ้ม/../PERSON.txt",
    "C:", "C:x", "c:/x", "z:\\x", "C:PERSON.txt", "C:../x",
    "\\x", "a\\PERSON.txt", "..\\PERSON.txt", "a/..\\x", "x\\", "\\\\host\\PERSON.txt", "\\\\?\\C:\\x",
    "\\\\.\\pipe\\x",
)  # fmt: skip
"""Names that are absolute, go up, name a drive or hold a backslash."""

PAIRS = (
    ("PERSON.txt", "person.TXT"), ("a/PERSON.txt", "A/person.txt"), ("é.txt", "e\u0301.txt"), ("ß.txt",
    "ss.txt"),
    ("x", "x/"), ("a/x", "a//x"), ("x", "./x"),
)  # fmt: skip
"""Two names that are one where somebody unpacks them."""

KINDS = {
    "link": stat.S_IFLNK, "pipe": stat.S_IFIFO, "socket": stat.S_IFSOCK, "disk": stat.S_IFBLK,
    "terminal": stat.S_IFCHR,
}  # fmt: skip
"""What is no plain file."""


def _special(kind: int) -> bytes:
    """A zip whose one member is said to be of that kind."""
    item = zipfile.ZipInfo("PERSON.txt")
    item.create_system, item.external_attr = 3, (kind | 0o777) << 16
    return with_entry(item, b"/etc/passwd")


TRICKS = {
    **{f"name {name}": zipped({name: X}) for name in NAMES},
    **{f"pair {first} {second}": zipped({first: X, second: b""}) for first, second in PAIRS},
    **{f"kind {name}": _special(kind) for name, kind in KINDS.items()},
    "folder up beside a file": zipped({"../x/": b"", "PERSON.txt": X}),
    "nul": renamed(zipped({"PERSON.txtQ.exe": X}), b"txtQ.exe", b"txt\0.exe"),
    "nul and up": renamed(zipped({"aQ/../x": X}), b"aQ/", b"a\0/"),
    "twice": renamed(zipped({"PERSON.txt": X, "QERSON.txt": b"y"}), b"QERSON", b"PERSON"),
}
