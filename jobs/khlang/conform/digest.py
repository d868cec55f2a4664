"""Everything that decides de-identification -> one digest: it stands in every commit and marks what must be rebuilt.

In it: the lake's policy; of every column its file, type, class, key domain, issuing facility, width, closed list,
form and whether it is part of the row's key; the forms; the recognisers' word lists and the version of the package
whose lists of names they read; the code of actions, recognisers and scrubbing, without comments and docstrings.
Not in it: labels, ranges, layouts, the members of code lists (what is let through is a published code), keys (a
pseudonym names its key's version), names that facilities told.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.resources.abc import Traversable

from khlang.model.contract import contracts
from khlang.model.policy import policy

CODE = (
    "actions",
    "recognizers",
    "text",
    "check.py",
    "deidentify.py",
    "people.py",
    "pseudonym.py",
    "screen.py",
    "typed.py",
)
"""Parts of conform whose code decides what of a value stays."""
LISTS = "pythainlp"
"""The package whose lists of Thai words and names the recognisers read."""
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def rules_digest() -> str:
    """SHA-256 (16 hex digits) over everything that decides what of a raw value stays in the lake."""
    whole = hashlib.sha256()
    for part in (*_policy(), *_columns(), *_words(), *_code()):
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()[:16]


def _policy() -> Iterator[bytes]:
    declared = policy("lake")
    rules = sorted([*key, action] for key, action in declared.actions.items())
    yield json.dumps([declared.audience, rules, sorted(declared.local_domains.items())]).encode()
    yield (files("khlang.catalog") / "forms.toml").read_bytes()


def _columns() -> Iterator[bytes]:
    """What decides about each column."""
    for contract in contracts().values():
        for c in contract.current:
            closed = (c.width, c.scale, c.codes, c.form, c.checksum, c.name in contract.key)
            yield json.dumps(
                [contract.file, c.name, c.type, c.privacy, c.domain, c.facility, *closed]
            ).encode()


def _words() -> Iterator[bytes]:
    """The recognisers' own lists, and which edition of the others."""
    for path in _sorted(files("khlang.catalog") / "words"):
        if path.name.endswith(".txt"):
            yield path.name.encode()
            yield path.read_bytes()
    try:
        yield version(LISTS).encode()
    except PackageNotFoundError:  # without it nothing can be scrubbed: no load comes this far
        yield b""


def _code() -> Iterator[bytes]:
    """Modules that decide, as their syntax trees."""
    conform = files("khlang.conform")
    for name in CODE:
        place = conform / name
        for path in _sorted(place) if place.is_dir() else [place]:
            if path.name.endswith(".py"):
                yield f"{name}/{path.name}".encode()
                yield decisive(path.read_text("utf-8")).encode()


def _sorted(folder: Traversable) -> list[Traversable]:
    return sorted(folder.iterdir(), key=lambda path: path.name)


def decisive(source: str) -> str:
    """Python text -> its syntax tree as text, without comments, docstrings and places: words do not decide."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)
