"""The inbox -> landing: what facilities put there, taken in the order in which it came."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from khlang.landing.door import Door
from khlang.landing.offer import from_inbox
from khlang.landing.work import Failed
from khlang.settings import Settings


@dataclass(frozen=True, slots=True)
class Received:
    """How many zips were taken, by state; `left` lie in the inbox and are not called .zip."""

    taken: int
    checked: int
    rejected: int
    duplicate: int
    left: int


def run(settings: Settings) -> Received | None:
    """Take what lies in the inbox and settle what a process that died left; None when there was nothing.

    A zip that can not be stored does not stop the others: the failure is raised after them.
    """
    inbox = from_inbox(settings)
    with Door(settings) as door:
        settled = [*door.finish(), *door.take(inbox.offers)]
    taken = [result for result in settled if not isinstance(result, Failed)]
    failures = [result.error for result in settled if isinstance(result, Failed)]
    for error in failures:
        if error.code != "store.changed":  # an object that is still being written is taken the next time
            raise error
    if not taken:
        return None
    states = Counter(delivery.state for delivery in taken)
    return Received(len(taken), states["checked"], states["rejected"], states["duplicate"], inbox.others)
