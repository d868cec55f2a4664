"""Zips of this machine -> landing: each verified, sealed, recorded, with a receipt number."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from khlang.lake.ledger import Delivery
from khlang.landing.door import Door
from khlang.landing.offer import from_files
from khlang.landing.work import Failed
from khlang.settings import Settings


def deliver(settings: Settings, path: Path) -> Delivery:
    """Deliver one zip; its state is checked, rejected or duplicate, its `receipt` is what the clerk keeps."""
    return deliver_all(settings, [path])[0]


def deliver_all(
    settings: Settings, paths: Iterable[Path], say: Callable[[Delivery], None] = lambda _: None
) -> list[Delivery]:
    """Deliver zips in the order given, telling each as it is settled.

    One that fails does not stop the others: the first failure is raised after them.
    """
    offers = from_files(paths)
    taken: list[Delivery] = []
    failures: list[Failed] = []
    with Door(settings) as door:
        door.finish()
        for result in door.take(offers):
            if isinstance(result, Failed):
                failures.append(result)
            else:
                taken.append(result)
                say(result)
    if failures:
        raise failures[0].error
    return taken
