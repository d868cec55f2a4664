"""A proof of the text step -> a page in Markdown, and the same as HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from markdown_it import MarkdownIt

from khlang.synth.texts import shipped
from khlang.synth.texts.measure import Figures, Share
from khlang.synth.texts.proof import Proof

SHOWN = 40
"""Errors that are listed of each sort; the notes are invented."""


def markdown(proof: Proof) -> str:
    """The page."""
    return "\n".join(_lines(proof)) + "\n"


def html(proof: Proof) -> str:
    """The page as HTML, by itself."""
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown(proof))
    style = (
        "body{font-family:sans-serif;max-width:60em;margin:2em auto}td,th{padding:.1em .8em;text-align:left}"
    )
    head = f'<meta charset="utf-8"><title>Text step</title><style>{style}</style>'
    return f'<!doctype html><html lang="en">{head}{body}</html>\n'


def verdicts(proof: Proof) -> Iterator[tuple[str, str, str, str, str]]:
    """What was asked: words, share, interval, floor, verdict."""
    for words, (share, floor) in proof.reached.items():
        yield words, *_cells(share), f"{floor:.3f}", "reached" if share.rate >= floor else "NOT reached"


def _cells(share: Share) -> tuple[str, str]:
    """Hits of all with the rate, and the interval."""
    low, high = share.interval()
    return f"{share.hits:,} of {share.of:,} = {share.rate:.4f}", f"{low:.4f}-{high:.4f}"


def _lines(proof: Proof) -> Iterator[str]:
    tuning, test = proof.templates["tuning"], proof.templates["test"]
    yield "# Free text without identifiers: figures on invented notes"
    yield ""
    yield (
        f"Seed {proof.seed}; {proof.held_out.notes:,} notes of {test} held-out templates, {proof.tuned.notes:,} of "
        f"{tuning} templates that the recognisers were tuned on. Of the given names {proof.listed_names.hits} of "
        f"{proof.listed_names.of} stand in the recognisers' own lists. Intervals are Wilson's, 95 %."
    )
    yield from (
        "",
        "| asked | found | 95 % interval | at least | verdict |",
        "| --- | --- | --- | --- | --- |",
    )
    yield from (f"| {' | '.join(row)} |" for row in verdicts(proof))
    yield from _recall(proof)
    yield from _precision("Precision on held-out notes", proof.held_out)
    asked = ", ".join(shipped.names())
    yield from _precision("Precision of Presidio as shipped", proof.shipped)
    yield from ("", f"Presidio as shipped, without a model: {asked}.")
    yield from _shares("Spellings", proof.spellings)
    for title, told in (
        ("Missed", proof.held_out.missed),
        ("Taken for nothing", proof.held_out.wrong),
        ("Spellings left", proof.left),
    ):
        yield from ("", f"## {title}: {len(told):,}", "")
        yield from (f"    {one!r}" for one in told[:SHOWN])


def _recall(proof: Proof) -> Iterator[str]:
    yield from ("", "## Recall", "", "| kind | held-out | 95 % interval | tuning | Presidio as shipped |")
    yield "| --- | --- | --- | --- | --- |"
    none = Share(0, 0)
    for kind, share in proof.held_out.recall.items():
        tuned, plain = proof.tuned.recall.get(kind, none), proof.shipped.recall.get(kind, none)
        yield f"| {kind} | {' | '.join(_cells(share))} | {tuned.rate:.4f} | {plain.rate:.4f} |"


def _precision(title: str, told: Figures) -> Iterator[str]:
    every: dict[str, Share] = {**told.precision, "all": told.precise, "letters that stay": told.letters,
                               "notes without identifiers that stay whole": told.clean}  # fmt: skip
    yield from _shares(title, every)


def _shares(title: str, shares: Mapping[str, Share]) -> Iterator[str]:
    yield from ("", f"## {title}", "", "| | found | 95 % interval |", "| --- | --- | --- |")
    yield from (f"| {kind} | {' | '.join(_cells(share))} |" for kind, share in shares.items())
