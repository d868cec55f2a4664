"""The catalogue as pages for people: files of the standard, faults, privacy, rights, marts, indicators."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from khlang.model.access import rights
from khlang.model.contract import Column, Contract, contracts
from khlang.model.faults import catalogue, effects
from khlang.model.indicator import indicators
from khlang.model.mart import marts
from khlang.model.policy import policy
from khlang.model.quirks import quirks

MADE = "<!-- made from the catalogue by `make docs`; do not edit -->\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; pipes inside cells are escaped."""
    lines = [heads, ["---"] * len(heads), *rows]
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def _files() -> str:
    """All files of the standard, each with a link to its page."""
    rows = [
        (c.number, f"[{c.file}](files/{c.table}.md)", c.title_th, c.title_en, c.kind, " ".join(c.key))
        for c in contracts().values()
    ]
    heads = ("no", "file", "แฟ้ม", "title", "kind", "key")
    return f"# Files of the standard\n\n{table(heads, rows)}"


def _column(contract: Contract, column: Column) -> tuple[object, ...]:
    """One row of a file's table of columns."""
    marks = [
        word for word, true in (("key", column.name in contract.key), ("required", column.required)) if true
    ]
    width = f"{column.width or ''}{f',{column.scale}' if column.type == 'decimal' else ''}"
    limits = (
        column.codes or column.open_codes or (f"{column.range[0]}-{column.range[1]}" if column.range else "")
    )
    privacy = f"{column.privacy}: {policy('lake').action(column)}"
    return (
        column.name, f"{column.type} {width}".strip(), ", ".join(marks), limits, privacy, column.th, column.en,
    )  # fmt: skip


def _file(contract: Contract) -> str:
    """The page of one file: columns, layouts, links, caveats, worked examples."""
    heads = ("column", "type", "", "codes or range", "privacy: in the lake", "ความหมาย", "meaning")
    columns = table(heads, [_column(contract, column) for column in contract.current])
    layouts = table(
        ("layout", "year", "columns"), [(x.name, x.year, len(x.columns)) for x in contract.layouts]
    )
    links = [f"- {' + '.join(p.columns)} is a row of {p.file}\n" for p in contract.parents]
    examples = [
        (
            example["name"],
            " ".join(f"{name}={value!r}" for name, value in example["given"].items()),
            " ".join(example["faults"]) or "none",
            " ".join(f"{name}={value}" for name, value in example.get("becomes", {}).items()) or "refused",
        )
        for example in contract.examples
    ]
    return (
        f"# {contract.file}: {contract.title_th}\n\n{contract.title_en}. Kind: {contract.kind}; key: "
        f"{' + '.join(contract.key)}; date of the event: {contract.event_date}.\n\n{columns}\n"
        f"## Layouts\n\n{layouts}\n## Links\n\n{''.join(links) or 'None.' + chr(10)}\n"
        f"## Caveats\n\n{''.join(f'- {caveat}{chr(10)}' for caveat in contract.caveats)}\n"
        f"## Worked examples\n\n{table(('example', 'sent', 'faults', 'becomes'), examples)}"
    )


def _faults() -> str:
    """Every fault code with its effect, its words and what to do."""
    first = table(("effect", "meaning", "ความหมาย"), [(e.effect, e.en, e.th) for e in effects().values()])
    heads = ("code", "effect", "what is wrong", "ข้อผิดพลาด", "what to do", "สิ่งที่ต้องทำ", "example")
    rows = [
        (f"`{f.code}`", f.effect, f.en, f.th, f.fix_en, f.fix_th, f.example) for f in catalogue().values()
    ]
    return f"# Faults\n\n{first}\n{table(heads, rows)}"


def _quirks() -> str:
    """What exporters are known to do, and what happens then."""
    rows = [
        (f"`{q.id}`", f"[`{q.by}`](faults.md)" if q.is_code else q.by, q.en, q.th) for q in quirks().values()
    ]
    heads = ("quirk", "fault code or rule", "what happens", "สิ่งที่เกิดขึ้น")
    return f"# Quirks of exporters\n\nEach has a test of its own (tests/unit/test_quirks.py).\n\n{table(heads, rows)}"


def _privacy() -> str:
    """Class -> action of each audience's policy, with the number of columns; and the rights in the stores."""
    columns = [column for contract in contracts().values() for column in contract.current]
    audiences = [policy(name) for name in ("lake", "planners", "research")]
    classes = []
    for name in dict.fromkeys(privacy for privacy, _ in audiences[0].actions):
        mine = [column for column in columns if column.privacy == name]
        ways = (", ".join(sorted({one.action(column) for column in mine})) for one in audiences)
        classes.append((name, *ways, len(mine)))
    heads = ("class", "in bronze and silver", "rows for planners", "rows for research", "columns")
    held = [(r.role, r.zone, f"`{r.below}`" if r.below else "all", r.action) for r in rights()]
    return (
        f"# Privacy\n\n{table(heads, classes)}\n"
        f"# Rights in the stores\n\nWhat is not listed is denied.\n\n"
        f"{table(('role', 'zone', 'where', 'action'), held)}"
    )


def _indicators() -> str:
    """The marts and the indicators over them, with numerator and denominator in both languages."""
    rows = [(f"`{m.name}`", m.title_th, m.title_en, m.grain) for m in marts().values() if m.stored]
    parts = []
    for one in indicators().values():
        target = f"{one.target.direction.replace('_', ' ')} {one.target.value}" if one.target else "none"
        parts.append(
            f"## {one.id}: {one.name_th}\n\n{one.name_en}. Target: {target}. Source: {one.source}.\n\n"
            f"- numerator: {one.numerator_en} · {one.numerator_th}\n"
            f"- denominator: {one.denominator_en} · {one.denominator_th}\n"
            + "".join(f"- definition {d.version}: {d.note_en} · {d.note_th}\n" for d in one.definitions)
        )
    marked = table(("mart", "ตาราง", "title", "one row is"), rows)
    return f"# Marts\n\n{marked}\n# Indicators\n\n" + "\n".join(parts)


def pages() -> dict[str, str]:
    """Path below docs/reference -> text, for every page that is made."""
    made = {
        "files.md": _files(),
        "faults.md": _faults(),
        "quirks.md": _quirks(),
        "privacy.md": _privacy(),
        "indicators.md": _indicators(),
    }
    made |= {f"files/{contract.table}.md": _file(contract) for contract in contracts().values()}
    return {path: MADE + text for path, text in made.items()}
