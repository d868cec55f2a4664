"""Faults planted into the rows of a file, never more than one in a row, with the truth beside them."""

from __future__ import annotations

import numpy as np
import polars as pl

from khlang.model.contract import Contract
from khlang.synth.corrupt import VALUE_FAULTS, Fault
from khlang.synth.words import indices
from khlang.synth.world import World

RATES = {"none": 0.0, "some": 0.003, "many": 0.03}
ROW_FAULTS = {"row.repeated": 10.0, "row.width": 8.0, "row.encoding": 4.0, "parent.missing": 6.0}
FORMS = {"row.width": ["pipe", "short", "break"], "row.encoding": ["byte", "null", "control"]}
NARROW = 7
"""Files with fewer columns get no broken lines: half a line could be as wide as a whole one."""
HIDDEN = {"fault": pl.String, "at": pl.String, "form": pl.String}


def clean(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with the hidden columns of the truth, all empty: `fault` code, `at` column, `form`."""
    return frame.with_columns(pl.lit("", dtype).alias(name) for name, dtype in HIDDEN.items())


def planted(world: World, contract: Contract, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows (clean, with hidden columns) -> rows of which some are chosen for a fault; values stay right.

    Rows to repeat get their copy at the end of the member; children lose their parent here, because that
    changes the key; everything else is done to the text by `damaged`.
    """
    rate = RATES[world.plan.faults]
    rng = world.draws(f"faults {contract.file}")
    free = np.flatnonzero(frame["note"].is_null().to_numpy())
    chosen = np.sort(rng.choice(free, rng.binomial(len(free), rate), replace=False)) if rate else free[:0]
    if not len(chosen):
        return frame
    faults = [fault.code for fault in VALUE_FAULTS] + list(ROW_FAULTS)
    shares = np.array([_share(contract, fault) for fault in VALUE_FAULTS] + [_row_share(contract, code) for code in ROW_FAULTS])
    codes = pl.Series(faults).gather(indices(rng, shares, len(chosen)))
    marked = frame.with_columns(frame["fault"].scatter(chosen, codes), frame["form"].scatter(chosen, _forms(rng, codes)))
    return _with_repeats(contract, _with_orphans(contract, _with_columns(contract, rng, marked, chosen, codes)))


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
    if contract.file in ("SERVICE", "ADMISSION", "REFER_HISTORY", "REFER_RESULT", "PERSON") or not contract.parents:
        return None
    return contract.parents[-1].columns[-1]


def _forms(rng: np.random.Generator, codes: pl.Series) -> pl.Series:
    """How a broken line is broken."""
    draws = rng.integers(0, 3, len(codes)).tolist()
    return pl.Series([FORMS[code][draw] if code in FORMS else "" for code, draw in zip(codes.to_list(), draws, strict=True)], dtype=pl.String)


def _with_columns(contract: Contract, rng: np.random.Generator, frame: pl.DataFrame, chosen: np.ndarray, codes: pl.Series) -> pl.DataFrame:
    """Choose the column that each value fault hits."""
    at: list[str] = [""] * len(chosen)
    names = {fault.code: [c.name for c in contract.current if fault.fits(contract, c)] for fault in VALUE_FAULTS}
    for place, code in enumerate(codes.to_list()):
        if names.get(code):
            at[place] = names[code][int(rng.integers(len(names[code])))]
        elif code == "parent.missing":
            at[place] = _link(contract) or ""
    return frame.with_columns(frame["at"].scatter(chosen, pl.Series(at, dtype=pl.String)))


def _with_orphans(contract: Contract, frame: pl.DataFrame) -> pl.DataFrame:
    """Give the chosen children a parent that nobody has; where the link is empty the fault is off."""
    link = _link(contract)
    if link is None:
        return frame
    chosen = pl.col("fault") == "parent.missing"
    linked = pl.col(link) != ""
    frame = frame.with_columns(fault=pl.when(chosen & ~linked).then(pl.lit("")).otherwise("fault"))
    made_up = "99" + (pl.int_range(pl.len()) % 1_000_000).cast(pl.String).str.zfill(6)
    return frame.with_columns(pl.when(pl.col("fault") == "parent.missing").then(made_up).otherwise(link).alias(link))


def _with_repeats(contract: Contract, frame: pl.DataFrame) -> pl.DataFrame:
    """Copies of the rows to repeat, put at the end of their member; the copy itself is right."""
    copies = frame.filter(pl.col("fault") == "row.repeated").with_columns(fault=pl.lit(""), note=pl.lit(-2, pl.Int64))
    return pl.concat([frame, copies])


def damaged(world: World, contract: Contract, frame: pl.DataFrame) -> pl.DataFrame:
    """Do to the values what the marks say; a mark whose value can not go wrong so is taken off."""
    rng = world.draws(f"damage {contract.file}")
    by_code = {fault.code: fault for fault in VALUE_FAULTS}
    wanted = frame.with_row_index("row").filter((pl.col("at") != "") & pl.col("fault").is_in(list(by_code)))
    off: list[int] = []
    for (code, name), rows in wanted.group_by("fault", "at", maintain_order=True):
        values, column = rows[str(name)], contract.column(str(name))
        wrong = by_code[str(code)].damage(column, values, rng)
        wrong = wrong.set(values == "", None)
        done = wrong.is_not_null()
        off += rows["row"].filter(~done).to_list()
        frame = frame.with_columns(frame[str(name)].scatter(rows["row"].filter(done), wrong.filter(done)))
    return frame.with_columns(frame[name].scatter(off, "") for name in ("fault", "at")) if off else frame
