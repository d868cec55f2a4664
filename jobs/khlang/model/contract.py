"""Contract of one file of the 43-file standard: keys, layouts, one row per column."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from khlang.errors import CatalogError
from khlang.model.forms import Form, form_of

WireType = Literal["char", "int", "decimal", "date", "datetime"]
PRIVACY_CLASSES = frozenset(
    [
        "public",
        "quasi",
        "sensitive",
        "direct_person",
        "direct_local",
        "name",
        "contact",
        "address",
        "birth_date",
        "free_text",
        "staff",
    ]
)
UNCHECKED_WIDTH = frozenset({"free_text", "name", "address", "contact"})
"""Classes whose text is kept whole or dropped: width is not a fault there (extracts rules, 5)."""
KEPT = frozenset({"public", "quasi", "sensitive"})
"""Classes whose text may stay as it is: it needs a closed list or a form."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: wire name, wire type, width in characters (or digits), privacy class, labels.

    `codes` names the closed code list (a code outside is void); `open_codes` describes an open one.
    `domain` is the pseudonym's key domain; `facility` the column that names the issuing facility of a link.
    `form` names what a kept text without a closed list may look like (khlang.model.forms).
    """

    name: str
    type: WireType
    privacy: str
    width: int | None = None
    scale: int = 0
    required: bool = False
    domain: str | None = None
    facility: str | None = None
    codes: str | None = None
    open_codes: str | None = None
    icd: bool = False
    range: tuple[float, float] | None = None
    checksum: str | None = None
    form: str | None = None
    retired: bool = False
    en: str = ""
    th: str = ""

    @property
    def field(self) -> str:
        """Name in the lake: the wire name in lower case."""
        return self.name.lower()

    @property
    def shape(self) -> Form | None:
        """The form that a kept text must have; None: a closed list or another action watches over it."""
        if self.type != "char" or self.privacy not in KEPT or self.codes is not None:
            return None
        return form_of(self.form)


@dataclass(frozen=True, slots=True)
class Layout:
    """One published version of the file's layout: its columns in order."""

    name: str
    year: int
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parent:
    """A link: child columns -> columns of the parent file (an empty child value is no link)."""

    columns: tuple[str, ...]
    file: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contract:
    """One file of the standard, as declared in catalog/contracts/th43/<table>.toml."""

    file: str
    table: str
    number: int
    title_en: str
    title_th: str
    kind: str
    key: tuple[str, ...]
    event_date: str
    layouts: tuple[Layout, ...]
    parents: tuple[Parent, ...]
    columns: tuple[Column, ...]
    aliases: dict[str, str] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()
    examples: tuple[dict[str, Any], ...] = ()

    @property
    def current(self) -> tuple[Column, ...]:
        """Columns of the newest layout: what bronze and silver hold, in order."""
        return tuple(column for column in self.columns if not column.retired)

    def column(self, name: str) -> Column:
        """The column of that wire name; raises CatalogError when the contract does not know it."""
        for column in self.columns:
            if column.name == name:
                return column
        raise CatalogError("contract.column", f"{self.file} has no column {name}")

    def layout_of(self, names: frozenset[str]) -> Layout:
        """The oldest layout that knows every given name, else the newest (exact rules, 7)."""
        for layout in self.layouts:
            if names <= set(layout.columns):
                return layout
        return self.layouts[-1]


def _column(row: dict[str, Any], where: str) -> Column:
    """One declared row -> Column; unknown classes and attributes are refused."""
    row = dict(row)
    privacy = row.pop("class", None)
    if privacy not in PRIVACY_CLASSES:
        raise CatalogError(
            "contract.class", f"column {row.get('name')} has no known privacy class", place=where
        )
    if "range" in row:
        row["range"] = tuple(row["range"])
    column = Column(privacy=privacy, **row)
    shape = column.shape
    if shape is not None and (column.width is None or column.width > shape.length):
        words = f"column {column.name} is kept, has no closed list and is wider than its form {shape.name}"
        raise CatalogError("contract.form", words, place=where)
    return column


def parse(text: str, where: str) -> Contract:
    """TOML text -> Contract; raises CatalogError on unknown attributes, keys or classes."""
    raw = tomllib.loads(text)
    columns = tuple(_column(row, where) for row in raw["columns"])
    layouts = tuple(Layout(v["name"], v["year"], tuple(v["columns"].split())) for v in raw["versions"])
    parents = tuple(
        Parent(tuple(p["columns"]), p["file"], tuple(p["parent_columns"])) for p in raw.get("parents", [])
    )
    contract = Contract(
        file=raw["file"],
        table=raw["table"],
        number=raw["number"],
        title_en=raw["title_en"],
        title_th=raw["title_th"],
        kind=raw["kind"],
        key=tuple(raw["key"]),
        event_date=raw["event_date"],
        layouts=layouts,
        parents=parents,
        columns=columns,
        aliases=raw.get("aliases", {}),
        caveats=tuple(raw.get("caveats", ())),
        examples=tuple(raw.get("example", ())),
    )
    known = {column.name for column in columns}
    for layout in layouts:
        if not set(layout.columns) <= known:
            raise CatalogError("contract.layout", f"layout {layout.name} names unknown columns", place=where)
    if not set(contract.key) <= known:
        raise CatalogError("contract.key", "the key names unknown columns", place=where)
    return contract


@cache
def contracts() -> dict[str, Contract]:
    """File name in capitals -> Contract, for every declared file, in the standard's order."""
    folder = files("khlang.catalog") / "contracts" / "th43"
    found = [parse(p.read_text("utf-8"), p.name) for p in folder.iterdir() if p.name.endswith(".toml")]
    return {contract.file: contract for contract in sorted(found, key=lambda c: c.number)}
