"""The command `khlang`: every module of khlang.commands adds its own; failures become exit codes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from khlang.commands import register_all
from khlang.errors import KhlangError, SettingsError, StackError, StoreError

app = typer.Typer(
    name="khlang",
    help="Khlang, คลังสุขภาพ: from a facility's zip to a planner's page.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    """Name, version and, in a checkout, the commit."""
    if asked:
        from khlang import __version__
        from khlang.lake.evidence import git_sha

        typer.echo(" ".join(["khlang", __version__, *([f"(git {git_sha()[:12]})"] if git_sha() else [])]))
        raise typer.Exit


@app.callback()
def _khlang(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="name, version, commit")
    ] = False,
) -> None:
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
    except Exception as raw:
        named = from_outside(raw)
        if named is None:
            raise
        tell(named)
        sys.exit(named.exit_code)


def from_outside(raw: Exception) -> KhlangError | None:
    """A failure of a library that an operator can mend, by its name here; None: a bug, shown as one.

    Told by module and class, so that no library is imported for it. Never the library's own message: it may
    quote what was sent.
    """
    kind = f"{type(raw).__module__.partition('.')[0]}.{type(raw).__name__}"
    if kind in ("sqlalchemy.OperationalError", "psycopg.OperationalError"):
        words = ("the database does not answer", "ฐานข้อมูลไม่ตอบ")
        return StackError("database.unreachable", *words, next_step="run `khlang status`, then `khlang up`")
    if kind.startswith("botocore.") and ("Connect" in kind or "Timeout" in kind):
        words = ("an object store does not answer", "ที่เก็บข้อมูลไม่ตอบ")
        return StoreError("store.unreachable", *words, next_step="run `khlang status`, then `khlang up`")
    if kind in ("pydantic_core.ValidationError", "pydantic_settings.SettingsError"):
        wrong = ", ".join(str(one["loc"][0]) for one in getattr(raw, "errors", list)() if one["loc"])
        step = "see the table of settings in README.md"
        return SettingsError("settings.invalid", "a setting has a wrong value", "ค่าที่ตั้งไว้ไม่ถูกต้อง", wrong, step)
    if isinstance(raw, FileNotFoundError | IsADirectoryError | NotADirectoryError | PermissionError):
        words = ("the file can not be opened", "เปิดแฟ้มไม่ได้")
        return SettingsError(
            "file.unreadable", *words, str(raw.filename or ""), "check the path and its rights"
        )
    return None


def tell(failure: KhlangError) -> None:
    """Code, sentence, place and next step of a failure, on the error stream; none leaves a person without a step."""
    lines = [f"{failure.code}: {failure.en}", failure.th]
    lines += [f"  at: {failure.place}" if failure.place else ""]
    lines += [f"  next: {failure.next_step or failure.usual_step}"]
    print("\n".join(line for line in lines if line), file=sys.stderr)


if __name__ == "__main__":
    main()
