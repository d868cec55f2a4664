"""`khlang docs`: pages made from the catalogue, and the README's tables of settings, commands, exit codes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    """Add the command `docs`."""
    app.command("docs")(docs)


def docs(
    check: Annotated[bool, typer.Option("--check", help="write nothing; exit 3 when a page is old")] = False,
) -> None:
    """Make docs/reference and the README's tables from the catalogue, the settings and the commands."""
    from khlang.errors import CatalogError
    from khlang.settings import PROJECT

    old = [
        path for path, text in made(PROJECT).items() if not path.is_file() or path.read_text("utf-8") != text
    ]
    if check and old:
        names = ", ".join(str(path.relative_to(PROJECT)) for path in old)
        words = ("pages differ from the catalogue", "หน้าเอกสารไม่ตรงกับแค็ตตาล็อก")
        raise CatalogError("docs.old", *words, names, "make docs")
    for path in old:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made(PROJECT)[path], encoding="utf-8")
    print(f"{len(old)} pages written, {len(made(PROJECT)) - len(old)} unchanged")


def made(project: Path) -> dict[Path, str]:
    """Every page that is made from something else -> its text."""
    from khlang.commands.reference import pages

    found = {project / "docs/reference" / name: text for name, text in pages().items()}
    readme = project / "README.md"
    return found | {readme: filled(readme.read_text("utf-8"))}


def filled(readme: str) -> str:
    """The README with its made tables put between their marks."""
    for name, text in {"settings": _settings(), "commands": _commands(), "exit codes": _exit_codes()}.items():
        start, end = f"<!-- made: {name} -->\n", "<!-- end -->"
        before, mark, rest = readme.partition(start)
        if mark:
            readme = before + start + text + end + rest.partition(end)[2]
    return readme


def _settings() -> str:
    """Environment variable, default and meaning of every setting."""
    from khlang.commands.reference import table
    from khlang.settings import Settings

    rows = [
        (f"`KHLANG_{name.upper()}`", f"`{field.default}`" if field.default != "" else "", field.description)
        for name, field in Settings.model_fields.items()
    ]
    return table(("setting", "default", "meaning"), rows)


def _leaves(command: Any, words: str) -> Iterator[tuple[str, str]]:
    """(full name with its arguments, help) of every command, groups opened."""
    for name, below in sorted(getattr(command, "commands", {}).items()):
        yield from _leaves(below, f"{words} {name}")
    if not getattr(command, "commands", None):
        asked = sorted(command.params, key=lambda p: (p.param_type_name != "argument", not p.required))
        shown = " ".join([words, *(_shown(p) for p in asked if p.name != "help")])
        yield shown, " ".join((command.help or "").split())


def _shown(parameter: Any) -> str:
    """`ZIPS...`, `--cause TEXT`; what may be left out stands in brackets."""
    if parameter.param_type_name == "argument":
        name = parameter.name.upper() + ("..." if parameter.nargs == -1 else "")
    else:
        valued = parameter.required and not parameter.is_flag
        kind = {"str": "text"}.get(parameter.type.name, parameter.type.name).upper()
        name = f"{parameter.opts[0]} {kind}" if valued else parameter.opts[0]
    return name if parameter.required else f"[{name}]"


def _commands() -> str:
    """Every command with its arguments and its help."""
    from typer.main import get_command

    from khlang.commands import register_all
    from khlang.commands.reference import table

    rows = [
        (f"`{shown}`", words) for shown, words in _leaves(get_command(register_all(typer.Typer())), "khlang")
    ]
    return table(("command", "does"), rows)


def _exit_codes() -> str:
    """Exit code -> what it means, from the named failures."""
    from khlang import errors
    from khlang.commands.reference import table

    kinds = [kind for kind in errors.KhlangError.__subclasses__() if kind.__module__ == errors.__name__]
    rows = [(kind.exit_code, (kind.__doc__ or "").splitlines()[0]) for kind in kinds]
    rows += [(0, "Done."), (errors.KhlangError.exit_code, "Any other failure; its words say what and where.")]
    rows += [(errors.NOTHING_NEW, "The job found no work: nothing new (Airflow skips the task).")]
    return table(("exit code", "meaning"), sorted(rows))
