"""One citizen id or phone number, as people write it: at least forty spellings, and the words around it."""

from __future__ import annotations

import random

THAI = str.maketrans("0123456789", "๐๑๒๓๔๕๖๗๘๙")
WIDE = str.maketrans("0123456789", "０１２３４５６７８９")


def valid_cid(seed: int) -> str:
    """Thirteen random digits with a right check digit."""
    digits = str(random.Random(seed).randrange(10**11, 9 * 10**11))
    twelve = f"{random.Random(seed + 1).randrange(1, 9)}{digits[1:]}"
    total = sum(int(digit) * (13 - place) for place, digit in enumerate(twelve))
    return f"{twelve}{(11 - total % 11) % 10}"


def _parts(cid: str, sizes: tuple[int, ...]) -> list[str]:
    """The id cut into groups."""
    ends = [sum(sizes[: at + 1]) for at in range(len(sizes))]
    return [cid[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def spelled(cid: str) -> dict[str, str]:
    """Name of a spelling -> the id in it."""
    classic = _parts(cid, (1, 4, 5, 2, 1))
    marks = {"dashed": "-", "spaced": " ", "dotted": ".", "underlined": "_", "slashed": "/", "en dash": "–",
             "em dash": "—", "minus": "−", "no-break blank": "\u00a0", "two blanks": "  ", "dash in blanks": " - ",
             "ideographic blank": "\u3000", "tab": "\t",
             "zero-width": "\u200b", "thin blank": "\u2009", "no-break dash": "\u2011"}  # fmt: skip
    forms = {name: mark.join(classic) for name, mark in marks.items()}
    other = {
        "3-4-3-3": (3, 4, 3, 3),
        "4-4-5": (4, 4, 5),
        "1-4-5-3": (1, 4, 5, 3),
        "5-5-2-1": (5, 5, 2, 1),
        "6-7": (6, 7),
        "1-4-7-1": (1, 4, 7, 1),
    }
    forms |= {f"groups {name}": " ".join(_parts(cid, sizes)) for name, sizes in other.items()}
    forms |= {f"dashed groups {name}": "-".join(_parts(cid, sizes)) for name, sizes in other.items()}
    forms |= {
        "plain": cid,
        "thai digits": cid.translate(THAI),
        "thai digits dashed": "-".join(classic).translate(THAI),
        "thai digits spaced": " ".join(classic).translate(THAI),
        "full width": cid.translate(WIDE),
        "half thai": cid[:6] + cid[6:].translate(THAI),
        "mixed marks": f"{classic[0]}-{classic[1]} {classic[2]}-{classic[3]}-{classic[4]}",
        "each digit spaced": " ".join(cid),
        "each digit dashed": "-".join(cid),
        "first bracketed": f"({classic[0]}) {' '.join(classic[1:])}",
        "zero-width everywhere": "\u200b".join(cid),
        "arabic digits": cid.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")),
        "lao digits": cid.translate(str.maketrans("0123456789", "໐໑໒໓໔໕໖໗໘໙")),
        "soft hyphens": "\u00ad".join(classic),
    }
    return forms


AROUND = {
    "alone": "{}", "behind thai letters": "เลขบัตร{}", "between thai letters": "บัตรประชาชน{}ค่ะ",
    "behind latin letters": "CID{}",
    "between latin letters": "no{}x", "bracketed": "({})", "square brackets": "[{}]", "label with colon": "ID:{}",
    "label with blank": "เลขประจำตัว {} รับยาเดิม", "quoted": "\"{}\"", "before a phone": "{} 0812345678", "in a sentence":
    "ผู้ป่วยแจ้งเลข {} ปวดท้อง 2 วัน BP 120/80", "end of sentence": "ส่งผลให้ {}.", "hash": "#{}",
}  # fmt: skip
"""Where the id stands; `{}` is the id."""


def phones(number: str) -> dict[str, str]:
    """Name of a spelling -> a mobile number (ten digits) in it."""
    three = _parts(number, (3, 3, 4))
    forms = {name: mark.join(three) for name, mark in
             {"dashed": "-", "spaced": " ", "dotted": ".", "en dash": "–", "no-break dash": "\u2011",
              "no-break blank": "\u00a0", "zero-width": "\u200b", "dash in blanks": " - "}.items()}  # fmt: skip
    sizes = {"3-7": (3, 7), "2-4-4": (2, 4, 4), "4-6": (4, 6)}
    forms |= {f"dashed {name}": "-".join(_parts(number, size)) for name, size in sizes.items()}
    forms |= {
        f"spaced {name}": " ".join(_parts(number, size)) for name, size in sizes.items() if name != "4-6"
    }
    return forms | {
        "plain": number, "thai digits": number.translate(THAI), "full width": number.translate(WIDE),
        "thai digits dashed": "-".join(three).translate(THAI), "country": f"+66{number[1:]}",
        "country spaced": f"+66 {number[1:3]} {number[3:6]} {number[6:]}", "country bare": f"66{number[1:]}",
        "country zero": f"+66(0){number[1:]}", "country dashed": f"+66-{number[1:3]}-{number[3:6]}-{number[6:]}",
        "bracketed": f"({three[0]}) {three[1]}-{three[2]}", "each digit spaced": " ".join(number),
        "abroad": f"0066{number[1:]}", "half thai": number[:5] + number[5:].translate(THAI),
    }  # fmt: skip
