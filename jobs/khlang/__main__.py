"""The command `khlang`: every module of khlang.commands adds its own; failures become exit codes."""

from __future__ import annotations

import sys

import typer

from khlang.commands import register_all
from khlang.errors import KhlangError

app = typer.Typer(
    name="khlang",
    help="Khlang, คลังสุขภาพ: from a facility's zip to a planner's page.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _khlang() -> None:
    """Each command prints what it did; `--json` is for machines; exit codes are in the README."""


def discover() -> typer.Typer:
    """The app with the commands of every module of khlang.commands that has `register`."""
    return register_all(app)


def main() -> None:
    """Run a command; a named failure is told in both languages without a traceback."""
    try:
        discover()()
    except KhlangError as failure:
        tell(failure)
        sys.exit(failure.exit_code)


def tell(failure: KhlangError) -> None:
    """Code, sentence, place and next step of a failure, on the error stream."""
    lines = [f"{failure.code}: {failure.en}", failure.th]
    lines += [f"  at: {failure.place}" if failure.place else ""]
    lines += [f"  next: {failure.next_step}" if failure.next_step else ""]
    print("\n".join(line for line in lines if line), file=sys.stderr)


if __name__ == "__main__":
    main()
