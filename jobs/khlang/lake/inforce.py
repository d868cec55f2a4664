"""The lake's keyed hash of the version that stored pseudonyms are of."""

from __future__ import annotations

from khlang.conform.pseudonym import Pseudonymiser
from khlang.lake.keys import LAKE, KeyStore
from khlang.lake.ledger import Ledger
from khlang.settings import Settings


def lake_keys(settings: Settings, ledger: Ledger) -> Pseudonymiser:
    """Pseudonyms that join with the lake's; a newer version that a rotation has not carried yet is left alone."""
    return KeyStore.open(settings).pseudonymiser(LAKE, ledger.key_in_force())
