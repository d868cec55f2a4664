"""Faults planted into the rows of a file, never more than one in a row, with the truth beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from khlang.model.contract import Contract
from khlang.synth.corrupt import VALUE_FAULTS, Fault
from khlang.synth.draw import choose
from khlang.synth.world import World

RATES = {"none": 0.0, "some": 0.003, "many": 0.03}
ROW_FAULTS = {"row.repeated": 10.0, "row.width": 8.0, "row.encoding": 4.0, "parent.missing": 6.0}
FORMS = {"row.width": ["pipe", "short", "break"], "row.encoding": ["byte", "null", "control"]}
NARROW = 7
"""Files with fewer columns get no broken lines: half a line could be as wide as a whole one."""
HIDDEN = {"fault": pl.String, "at": pl.String, "form": pl.String}


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows of one file with right values and the marks of the truth: `fault` code, `at` column, `form`.

    `wrong` repeats the marked rows with their damaged values; its `row` is their row number in `rows`.
    """

    rows: pl.DataFrame
    wrong: pl.DataFrame


def marked(world: World, contract: Contract, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of which some are chosen for a fault; values stay right.

    Rows to repeat get their copy at the end of the member; children lose their parent here, because that
    changes the key; everything else is done to the text by `damaged`.
    """
    frame = frame.with_columns(pl.lit("", dtype).alias(name) for name, dtype in HIDDEN.items())
    rate, rng = RATES[world.plan.faults], world.draws(f"faults {contract.file}")
    free = np.flatnonzero(frame["note"].is_null().to_numpy()) if rate else np.empty(0, dtype=np.int64)
    chosen = np.sort(rng.choice(free, rng.binomial(len(free), rate), replace=False))
    if not len(chosen):
        return frame
    shares = {fault.code: _share(contract, fault) for fault in VALUE_FAULTS}
    shares |= {code: _row_share(contract, code) for code in ROW_FAULTS}
    codes = choose(rng, shares, len(chosen))
    frame = frame.with_columns(
        frame["fault"].scatter(chosen, codes), frame["form"].scatter(chosen, _forms(rng, codes)),
        frame["at"].scatter(chosen, _columns(contract, rng, codes)),
    )  # fmt: skip
    return _with_repeats(_with_orphans(contract, frame))


def _share(contract: Contract, fault: Fault) -> float:
    """Share of a value fault in a file: none where no column fits."""
    return fault.share if any(fault.fits(contract, column) for column in contract.current) else 0.0


def _row_share(contract: Contract, code: str) -> float:
    """Share of a row fault in a file."""
    if code == "row.width" and len(contract.current) < NARROW:
        return 0.0
    if code == "parent.missing" and _link(contract) is None:
        return 0.0
    return ROW_FAULTS[code]


def _link(contract: Contract) -> str | None:
    """The column whose value is made up so that a child has no parent; not in files that others hang on."""
    if (
        contract.file in ("SERVICE", "ADMISSION", "REFER_HISTORY", "REFER_RESULT", "PERSON")
        or not contract.parents
    ):
        return None
    return contract.parents[-1].columns[-1]


def _forms(rng: np.random.Generator, codes: pl.Series) -> pl.Series:
    """How a broken line is broken."""
    draws = rng.integers(0, 3, len(codes)).tolist()
    return pl.Series(
        [
            FORMS[code][draw] if code in FORMS else ""
            for code, draw in zip(codes.to_list(), draws, strict=True)
        ],
        dtype=pl.String,
    )


def _columns(contract: Contract, rng: np.random.Generator, codes: pl.Series) -> pl.Series:
    """The column that each value fault hits, drawn among those it fits."""
    names = {
        fault.code: [c.name for c in contract.current if fault.fits(contract, c)] for fault in VALUE_FAULTS
    }
    names["parent.missing"] = [_link(contract) or ""]
    among = [names.get(code) or [""] for code in codes.to_list()]
    return pl.Series([columns[int(rng.integers(len(columns)))] for columns in among], dtype=pl.String)


def _with_orphans(contract: Contract, frame: pl.DataFrame) -> pl.DataFrame:
    """Give the chosen children a parent that nobody has; where the link is empty the fault is off."""
    link = _link(contract)
    if link is None:
        return frame
    chosen = pl.col("fault") == "parent.missing"
    linked = pl.col(link) != ""
    frame = frame.with_columns(fault=pl.when(chosen & ~linked).then(pl.lit("")).otherwise("fault"))
    made_up = "99" + (pl.int_range(pl.len()) % 1_000_000).cast(pl.String).str.zfill(6)
    return frame.with_columns(
        pl.when(pl.col("fault") == "parent.missing").then(made_up).otherwise(link).alias(link)
    )


def _with_repeats(frame: pl.DataFrame) -> pl.DataFrame:
    """Copies of the rows to repeat, put at the end of their member; the copy itself is right."""
    copies = frame.filter(pl.col("fault") == "row.repeated").with_columns(
        fault=pl.lit(""), note=pl.lit(-2, pl.Int64)
    )
    return pl.concat([frame, copies])


def damaged(world: World, contract: Contract, frame: pl.DataFrame) -> Sheet:
    """Do to the marked values what the marks say; a mark whose value can not go wrong so is taken off."""
    rng, by_code = world.draws(f"damage {contract.file}"), {fault.code: fault for fault in VALUE_FAULTS}
    wrong = frame.with_row_index("row").filter(pl.col("fault") != "")
    cells = {
        name: wrong[name].to_list() for name in ("fault", "at", *(column.name for column in contract.current))
    }
    hits: dict[tuple[str, str], list[int]] = {}
    for place, hit in enumerate(zip(cells["fault"], cells["at"], strict=True)):
        if hit[0] in by_code:
            hits.setdefault(hit, []).append(place)
    for (code, name), places in hits.items():
        values = pl.Series([cells[name][place] for place in places], dtype=pl.String)
        bad = by_code[code].damage(contract.column(name), values, rng).set(values == "", None)
        for place, value in zip(places, bad.to_list(), strict=True):
            if value is None:
                cells["fault"][place] = cells["at"][place] = ""
            else:
                cells[name][place] = value
    wrong = wrong.with_columns(pl.Series(name, texts, dtype=pl.String) for name, texts in cells.items())
    marks = [frame[mark].scatter(wrong["row"], wrong[mark]) for mark in ("fault", "at")]
    return Sheet(frame.with_columns(marks), wrong)
