"""A column of free text -> the same without identifiers; what can not be cleared is withheld.

Who may be named in a text, and what that costs:

- A table with PID: the patient's own names, numbers and phones and the household's, from every version ever
  told; names and long numbers of any other patient of the facility and of its staff; and whatever the
  recognisers find without knowing anybody.
- A table without PID (details of referrals, DATA_CORRECT, POLICY): all of that except the first part. Given or
  family names that are also common words count only together, since nobody tells whose text it is.
- A patient whose PERSON was never told (or a facility without any PERSON): the text is withheld, unless it is
  of closed vocabulary: clinical words, drugs, units and short numbers only (khlang.conform.text.words). Such a
  text can not hold a name. On the pilot 100 of 134,000 texts belong to such patients; the rule withholds
  almost none of them, since nearly all are names of drugs, packings, laboratory numbers and chief complaints.
- What the analyzer could not finish in time, what made it fail, and any text over 1 MB is withheld.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from khlang.conform.text import deny, words
from khlang.conform.text.names import Names
from khlang.conform.text.plain import plain_series
from khlang.conform.text.recogniser import where
from khlang.conform.text.registry import recognisers
from khlang.conform.text.spans import Span, masked, merged
from khlang.conform.text.squeeze import squeezed
from khlang.errors import PrivacyError


@dataclass(frozen=True, slots=True)
class Limits:
    """What one text may cost: seconds in the analyzer, bytes."""

    seconds: float = 2.0
    max_bytes: int = 1 << 20


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """Per row: the text that may stay, whether something in it was replaced, whether it was withheld."""

    text: pl.Series
    changed: pl.Series
    withheld: pl.Series


def triggered(distinct: pl.DataFrame) -> pl.DataFrame:
    """Distinct texts (plain, closed) -> one flag per recogniser: whether it may find anything there."""
    flags = []
    for name, recogniser in recognisers().items():
        may = pl.col("plain").str.contains(f"(?i){recogniser.trigger}")
        flags.append((may & ~pl.col("closed") if recogniser.spares_closed else may).alias(name))
    return distinct.select(flags)


def _recognised(distinct: pl.DataFrame, limits: Limits) -> tuple[dict[str, list[Span]], set[str]]:
    """Distinct texts -> places by text, and the texts that could not be analysed."""
    flags = triggered(distinct)
    found: dict[str, list[Span]] = {}
    failed: set[str] = set()
    suspicious = flags.select(pl.any_horizontal(pl.all())).to_series()
    if not suspicious.any():
        return found, failed
    from khlang.conform.text.engine import (
        engine,
    )  # Presidio takes 2 s to import: only when a text asks for it

    analyse = engine().places
    for text, row in zip(
        distinct["text"].filter(suspicious), flags.filter(suspicious).iter_rows(named=True), strict=True
    ):
        places = analyse(text, [name for name, fired in row.items() if fired], limits.seconds)
        if places is None:
            failed.add(text)
        elif places:
            found[text] = places
    return found, failed


def _named(hits: pl.DataFrame, key: list[str]) -> dict[tuple[str, ...], list[Span]]:
    """Hits of the deny lists -> places by key."""
    found: dict[tuple[str, ...], list[Span]] = defaultdict(list)
    parts = ["text", "term", "kind", "part"]
    for *who, text, term, kind, part in hits.select(*key, *parts).iter_rows():
        places = deny.spans(text, term, kind, part)
        if places:
            found[(*who, text)] += places
    return found


def _unknown(rows: pl.DataFrame, names: Names, with_patient: bool) -> pl.Series:
    """Rows of a patient, or without patients of a facility, whom the name book does not know."""
    key = ["hospcode", "pid"] if with_patient else ["hospcode"]
    kept = f"known by {key[-1]}"
    if kept not in names.worked_out:
        names.worked_out[kept] = names.people.select(key).unique()
    asked = rows.select(key).unique().drop_nulls()
    known = asked.join(names.worked_out[kept], on=key, how="semi").with_columns(known=pl.lit(True))
    return rows.join(known, on=key, how="left", maintain_order="left")["known"].is_null()


def scrub(
    texts: pl.Series, hospcode: pl.Series, pid: pl.Series | None, names: Names, limits: Limits | None = None
) -> Scrubbed:
    """Each text without identifiers: <CID>, <PHONE>, <NAME> ... stand in their places.

    `pid` is None for a table without patients. Work is done on distinct texts, then on distinct pairs of
    patient and text. A null stays null and is neither changed nor withheld. Raises PrivacyError, which quotes
    nothing, when the step itself fails: then nothing of the column passes.
    """
    try:
        return _scrubbed(texts, hospcode, pid, names, limits or Limits())
    except PrivacyError:
        raise
    except Exception as broken:  # a message of polars may quote the value it could not work on
        raise PrivacyError(
            "text.failed", f"the text step failed ({where(broken)})", place=texts.name
        ) from None


def places(
    texts: pl.Series, hospcode: pl.Series, pid: pl.Series | None, names: Names, limits: Limits | None = None
) -> list[list[Span] | None]:
    """Per text the places that `scrub` replaces, overlapping ones as one; None where it withholds the text."""
    judged = _judged(texts, hospcode, pid, names, limits or Limits())
    found = {tuple(where): merged(spans) for *where, spans in judged.touched}
    rows = zip(judged.rows.select(_KEY).iter_rows(), judged.withheld, strict=True)
    return [None if withheld else found.get(row, []) for row, withheld in rows]


_KEY = ["hospcode", "pid", "text"]


@dataclass(frozen=True, slots=True)
class _Judged:
    """Rows (text, hospcode, pid), which of them are withheld, and (hospcode, pid, text, places) where any are."""

    rows: pl.DataFrame
    withheld: pl.Series
    touched: list[tuple[str, str | None, str, list[Span]]]


def _judged(
    texts: pl.Series, hospcode: pl.Series, pid: pl.Series | None, names: Names, limits: Limits
) -> _Judged:
    """What has to go, before anything does."""
    patient = pid.cast(pl.String).str.strip_chars() if pid is not None else pl.lit(None, pl.String)
    rows = pl.DataFrame({"text": texts.cast(pl.String), "hospcode": hospcode.cast(pl.String)})
    rows = rows.with_columns(patient.alias("pid"))
    too_long = rows["text"].str.len_bytes().fill_null(0) > limits.max_bytes
    rows = rows.with_columns(pl.when(~too_long).then(pl.col("text")).alias("text"))
    distinct = rows.select("text").drop_nulls().unique(maintain_order=True)
    distinct = distinct.with_columns(plain_series(distinct["text"]).alias("plain"))
    distinct = distinct.with_columns(words.closed(distinct["plain"]).alias("closed"))
    everywhere, failed = _recognised(distinct, limits)
    blocked = _unknown(rows, names, pid is not None) & ~_marked(rows, distinct.filter("closed")["text"])
    withheld = too_long | ((blocked | _marked(rows, failed)) & rows["text"].is_not_null())
    return _Judged(rows, withheld, _touched(rows, distinct, names, everywhere, pid is not None))


def _scrubbed(
    texts: pl.Series, hospcode: pl.Series, pid: pl.Series | None, names: Names, limits: Limits
) -> Scrubbed:
    """The same, for whatever may fail."""
    judged = _judged(texts, hospcode, pid, names, limits)
    rows, withheld = judged.rows, judged.withheld
    cleared = pl.DataFrame(
        [(where, who, text, masked(text, spans)) for where, who, text, spans in judged.touched],
        schema=dict.fromkeys([*_KEY, "cleared"], pl.String), orient="row",
    )  # fmt: skip
    text = rows.join(cleared, on=_KEY, how="left", nulls_equal=True, maintain_order="left")["cleared"]
    changed = text.is_not_null() & ~withheld
    kept = text.zip_with(changed, rows["text"])
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(kept))
    out = nothing.zip_with(withheld, kept).alias(texts.name)
    return Scrubbed(out, changed.alias("changed"), withheld.alias("withheld"))


def _marked(rows: pl.DataFrame, texts: Iterable[str]) -> pl.Series:
    """Which rows hold one of the texts."""
    return rows["text"].is_in(pl.Series(list(texts), dtype=pl.String).implode()).fill_null(False)


def _touched(
    rows: pl.DataFrame,
    distinct: pl.DataFrame,
    names: Names,
    everywhere: dict[str, list[Span]],
    with_patient: bool,
) -> list[tuple[str, str | None, str, list[Span]]]:
    """hospcode, pid, text and its places, for every text in which something has to be replaced."""
    pairs = rows.select(_KEY).drop_nulls("text").unique()
    letters = distinct.select("text", squeezed(distinct["plain"]).alias("letters"))
    own = _named(deny.own_hits(pairs, letters, names), ["hospcode", "pid"]) if with_patient else {}
    opened = distinct.filter(~pl.col("closed")).select("text", "plain")
    anybody = _named(
        deny.facility_hits(pairs.select("hospcode", "text").unique().join(opened, on="text"), names),
        ["hospcode"],
    )
    suspects = {text for *_, text in own} | {text for _, text in anybody} | set(everywhere)
    touched = pairs.filter(pl.col("text").is_in(pl.Series(sorted(suspects), dtype=pl.String).implode()))
    found = [
        (where, who, text, [
            *everywhere.get(text, ()), *own.get((where, who, text), ()), *anybody.get((where, text), ())
        ]) for where, who, text in touched.iter_rows()
    ]  # fmt: skip
    return [one for one in found if one[-1]]
