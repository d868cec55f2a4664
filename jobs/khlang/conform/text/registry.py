"""The recognisers of this installation: one file each in conform/recognizers, found by looking."""

from __future__ import annotations

import inspect
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import khlang.conform.recognizers as folder
from khlang.conform.text.recogniser import Recogniser
from khlang.errors import PrivacyError


@cache
def recognisers() -> dict[str, Recogniser]:
    """File name -> its recogniser; to add one, add a file. An empty folder refuses to clear anything."""
    found: dict[str, Recogniser] = {}
    for name in sorted(module.name for module in iter_modules(folder.__path__)):
        module = import_module(f"{folder.__name__}.{name}")
        classes = [kind for _, kind in inspect.getmembers(module, inspect.isclass)
                   if issubclass(kind, Recogniser) and kind.__module__ == module.__name__]  # fmt: skip
        if len(classes) != 1:
            raise PrivacyError(
                "text.recogniser", "a file in conform/recognizers holds one recogniser", place=name
            )
        found[name] = classes[0]()
    if not found:
        raise PrivacyError("text.recogniser", "no recogniser was found: no text can be cleared")
    return found
