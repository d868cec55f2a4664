"""Free text that holds identifiers: names, numbers, addresses in several spellings, with their exact place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from khlang.synth.registers import Tables
from khlang.synth.words import tables as declared
from khlang.synth.world import World

THAI = str.maketrans("0123456789", "๐๑๒๓๔๕๖๗๘๙")
PLACEHOLDER = re.compile(r"<(\w+)>")
SPANS = {
    "note": pl.Int64, "file": pl.String, "column": pl.String, "start": pl.Int64, "end": pl.Int64,
    "kind": pl.String, "text": pl.String,
}  # fmt: skip
PHONES: dict[str, Callable[[str], str]] = {
    "phone:plain": lambda v: v, "phone:dash": lambda v: f"{v[:3]}-{v[3:6]}-{v[6:]}",
    "phone:space": lambda v: f"{v[:3]} {v[3:6]} {v[6:]}", "phone:thai": lambda v: v.translate(THAI),
    "phone:country": lambda v: f"+66{v[1:]}",
}  # fmt: skip
CIDS: dict[str, Callable[[str], str]] = {
    "cid:plain": lambda v: v, "cid:dash": lambda v: f"{v[0]}-{v[1:5]}-{v[5:10]}-{v[10:12]}-{v[12]}",
    "cid:space": lambda v: f"{v[0]} {v[1:5]} {v[5:10]} {v[10:12]} {v[12]}", "cid:thai": lambda v: v.translate(THAI),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Noted:
    """Tables whose noted rows carry a number in `note`, and the spans of every note (kind `keep`: must survive)."""

    tables: Tables
    spans: pl.DataFrame


def noted(world: World, tables: Tables) -> Noted:
    """Plant identifiers into the declared share of each free text column.

    PERSON rows of the houses spoken of get `note` -1: no fault may hide the names the scrubber needs.
    """
    done, spans, people, first = dict(tables), [], [], 0
    for place, share in declared("notes")["columns"].items():
        file, column = place.split(".")
        frame = done[file]
        if "note" not in frame.columns:
            frame = frame.with_columns(note=pl.lit(None, pl.Int64))
        rng = world.draws(f"notes {place}")
        free = frame["note"].is_null().to_numpy() & (frame[column] != "").to_numpy()
        chosen = np.flatnonzero(free & (rng.random(frame.height) < share))
        writer = _Writer(world, rng, file, column, first)
        texts = [
            writer.write(r, text)
            for r, text in zip(frame["r"][chosen].to_list(), frame[column][chosen].to_list(), strict=True)
        ]
        numbers = pl.Series(range(first, first + len(chosen)), dtype=pl.Int64)
        done[file] = frame.with_columns(
            frame["note"].scatter(chosen, numbers),
            frame[column].scatter(chosen, pl.Series(texts, dtype=pl.String)),
        )
        first += len(chosen)
        spans += writer.spans
        people.append(frame["r"][chosen].cast(pl.Int64))
    heads = world.people["head"].gather(pl.concat(people)).unique()
    spoken_of = world.people["head"].is_in(heads.implode()).gather(done["PERSON"]["r"])
    done["PERSON"] = done["PERSON"].with_columns(
        note=pl.select(pl.when(spoken_of).then(pl.lit(-1, pl.Int64))).to_series()
    )
    return Noted(done, pl.DataFrame(spans, schema=SPANS, orient="row"))


class _Writer:
    """Writes the notes of one column and remembers where each identifier stands."""

    def __init__(self, world: World, rng: np.random.Generator, file: str, column: str, first: int) -> None:
        """`first` is the number of the first note."""
        templates = declared("notes")["templates"]
        self.templates = [PLACEHOLDER.split(text) for text in templates.get(file, templates["other"])]
        self.rng, self.file, self.column, self.number = rng, file, column, first
        self.people = world.people.select(
            "name", "lname", "phone", "cid_true", "hn", "pid", "house", "head", "size"
        )
        self.home = world.people.select("name", "lname")
        self.spans: list[tuple[object, ...]] = []

    def write(self, row: int, text: str) -> str:
        """One note about the registration `row`, built around `text`."""
        parts = self.templates[int(self.rng.integers(len(self.templates)))]
        out = parts[0]
        for placeholder, rest in zip(parts[1::2], parts[2::2], strict=True):
            kind, value = ("keep", text) if placeholder == "text" else self._identifier(placeholder, row)
            self.spans.append(
                (self.number, self.file, self.column, len(out), len(out) + len(value), kind, value)
            )
            out += value + rest
        self.number += 1
        return out

    def _identifier(self, placeholder: str, row: int) -> tuple[str, str]:
        """Kind and spelling of one identifier."""
        name, lname, phone, cid, hn, pid, house, head, size = self.people.row(row)
        draw = int(self.rng.integers(1 << 30))
        if placeholder in ("phone", "cid"):
            spellings, value = (PHONES, phone) if placeholder == "phone" else (CIDS, cid)
            kind = list(spellings)[draw % len(spellings)]
            return kind, spellings[kind](value)
        if placeholder == "relative":
            given, family = self.home.row(head + draw % size)
            return "name:relative", f"{given} {family}"
        simple = {
            "own": ("name:own", f"{name} {lname}"), "given": ("name:own", name), "hn": ("hn", hn or pid),
            "address": ("address", f"{house // 6 + 1}/{house % 9 + 1} หมู่ {house % 6 + 1}"),
            "email": ("email", f"invented{phone[4:]}@example.com"), "line": ("line", f"line_{phone[4:]}"),
        }  # fmt: skip
        return simple[placeholder]
