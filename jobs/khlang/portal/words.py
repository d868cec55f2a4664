"""Words of the facilities' page in Thai and English, as catalog/words/portal.toml declares them."""

from __future__ import annotations

import tomllib
from importlib.resources import files

from khlang.receipts.words import Words

_DECLARED = tomllib.loads((files("khlang.catalog") / "words" / "portal.toml").read_text("utf-8"))

WORDS: dict[str, Words] = _DECLARED["word"]
REFUSED: dict[str, Words] = _DECLARED["refused"]
"""Why an upload can not go on -> what the clerk is told."""

SENDING: dict[str, Words] = _DECLARED["sending"]
"""What the browser says while it sends."""
