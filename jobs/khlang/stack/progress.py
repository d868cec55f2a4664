"""What a person sees while services start and stop: a line for each, and what is still waited for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from rich.console import Console

from khlang.stack.plan import Say

WAITING = "starts"


@contextmanager
def progress() -> Iterator[Say]:
    """A `say` that prints finished services and, on a terminal, shows those on their way."""
    console = Console(highlight=False)
    waiting: list[str] = []
    lock = Lock()
    with console.status("looking at the stack") as spinner:

        def _say(name: str, became: str, seconds: float) -> None:
            with lock:
                if became == WAITING:
                    waiting.append(name)
                else:
                    waiting[:] = [other for other in waiting if other != name]
                    console.print(f"  {name:<22}{became:<10}{seconds:6.1f} s")
                spinner.update(f"waiting for {', '.join(waiting)}" if waiting else "one moment")

        yield _say
