"""Rules of the house: text of one file -> complaints; each rule comes with a text that breaks it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

Def = ast.FunctionDef | ast.AsyncFunctionDef
Complaints = Iterator[str]

MODULE_LINES, FUNCTION_LINES, DAG_LINES, DECLARED_LINES = 300, 60, 80, 120
FORBIDDEN = frozenset({"data", "info", "df2", "utils", "helpers", "manager"})
HOSTS = frozenset(
    {
        "127.0.0.1", "localhost", "json-schema.org", "www.apache.org", "www.w3.org", "example.org",
        "maven.apache.org", "keepachangelog.com", "semver.org",
    }
)  # fmt: skip
"""Hosts that may be named: the machine itself, name spaces of formats, licence texts."""
NAMED_FAILURES = frozenset(
    f"{kind}Error"
    for kind in (
        "Khlang", "Settings", "Catalog", "Privacy", "Delivery", "Balance", "Busy", "Stack", "Store", "Quality",
    )
)  # fmt: skip
ASKED = (
    "jobs/khlang/__main__", "jobs/khlang/commands/", "jobs/khlang/demo/", "jobs/khlang/stack/",
    "jobs/khlang/lake/scan/", "jobs/khlang/lake/asked", "jobs/khlang/lake/reader", "jobs/khlang/lake/secrets", 
    "jobs/khlang/lake/ledger/door", "jobs/khlang/model/facility",
)  # fmt: skip
"""Modules whose failures a person causes by what is typed, set or handed in, and can mend."""


def _known(host: str) -> bool:
    """Whether an address may be named: listed above, or under the top-level domain kept for examples."""
    return host in HOSTS or host.endswith(".example")


def _defs(tree: ast.AST) -> list[Def]:
    """Every def, nested ones too."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def module_length(path: PurePosixPath, text: str) -> Complaints:
    """A module has at most 300 lines, a file beside the DAGs 80."""
    cap = DAG_LINES if path.parts[0] == "dags" else MODULE_LINES
    if len(text.splitlines()) > cap:
        yield f"{len(text.splitlines())} lines, {cap} are allowed"


def function_length(path: PurePosixPath, text: str) -> Complaints:
    """A function has at most 60 lines."""
    for node in _defs(ast.parse(text)):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > FUNCTION_LINES:
            yield f"{node.name} has {lines} lines"


def typed(path: PurePosixPath, text: str) -> Complaints:
    """Every def says the type of each argument and of its result."""
    for node in _defs(ast.parse(text)):
        spec = node.args
        named = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, *filter(None, (spec.vararg, spec.kwarg))]
        bare = [a.arg for a in named if a.annotation is None and a.arg not in ("self", "cls")]
        if bare or node.returns is None:
            yield f"{node.name} lacks types: {', '.join(bare) or 'its result'}"


def documented(path: PurePosixPath, text: str) -> Complaints:
    """The module and every name without a leading underscore has a docstring."""
    tree = ast.parse(text)
    opening = (ast.get_docstring(tree) or "").splitlines()
    if text.strip() and (not opening or not opening[0].rstrip().endswith((".", ":"))):
        yield "the module does not open with one line about its content"
    for node in ast.walk(tree):
        kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        if isinstance(node, kinds) and not node.name.startswith("_") and not ast.get_docstring(node):
            yield f"{node.name} has no docstring"


def named_well(path: PurePosixPath, text: str) -> Complaints:
    """No name of ours is one of the empty words."""
    if path.stem in FORBIDDEN:
        yield f"module {path.stem}"
    for node in ast.walk(ast.parse(text)):
        name = None
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.id
        elif isinstance(node, ast.arg):
            name = node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            name = node.name
        if name and (name in FORBIDDEN or re.search("Manager|Helper|Utils", name)):
            yield f"line {node.lineno}: the name {name} says nothing"  # type: ignore[attr-defined]


def frozen(path: PurePosixPath, text: str) -> Complaints:
    """Values are frozen dataclasses with slots."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            for mark in map(ast.unparse, node.decorator_list):
                whole = "frozen=True" in mark and "slots=True" in mark
                if mark.startswith("dataclass") and not whole:
                    yield f"{node.name} is a dataclass that is not frozen with slots"


def one_door(path: PurePosixPath, text: str) -> Complaints:
    """A job.py has one public function, run."""
    if path.name == "job.py":
        public = [n.name for n in ast.parse(text).body if isinstance(n, Def) and not n.name.startswith("_")]
        if public != ["run"]:
            yield f"public functions {public}, only run is allowed"


def sentences(path: PurePosixPath, text: str) -> Complaints:
    """A test is named as a sentence: three words at least, and it asserts or expects something."""
    for node in ast.parse(text).body:
        if isinstance(node, Def) and node.name.startswith("test_") and len(node.name.split("_")) < 4:
            yield f"{node.name} is no sentence"


def nothing_left_out(path: PurePosixPath, text: str) -> Complaints:
    """No test is left out and no work is left for later."""
    words = ["pytest." + "skip", "mark." + "skip", "import" + "orskip", "x" + "fail", "skip" + "if"]
    words += ["TO" + "DO", "FIX" + "ME"]
    for number, line in enumerate(text.splitlines(), 1):
        yield from (f"line {number}: {word}" for word in words if word in line)


def no_machine(path: PurePosixPath, text: str) -> Complaints:
    """No path of a machine, no address of an index, no mail address, no talk of the workshop."""
    places = r"(?<![\w.~}])/(?:root|work|home|Users|private|mnt)/[\w.]"
    made = r"\b(?:issue|session) #?\d+\b"
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(places, line) or re.search(made, line, re.IGNORECASE):
            yield f"line {number}: a place or a word of the workshop"
        hosts = re.findall(r"https?://([\w.-]+\w)", line)
        yield from (f"line {number}: address {host}" for host in hosts if not _known(host))
        mails = re.findall(r"(?<![\w/:.+\\-])[\w.+-]+@([\w-]+\.[a-z.]+)", line)
        yield from (f"line {number}: a mail address" for host in mails if not host.startswith("example."))
        if re.search(r"--(?:extra-)?index-url", line):
            yield f"line {number}: an index option"


def next_step_told(path: PurePosixPath, text: str) -> Complaints:
    """A failure that a person's words can cause is told in Thai too, and says what to do next."""
    for node in ast.walk(ast.parse(text)):
        if not (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMED_FAILURES
        ):
            continue
        # *words stands for two: English and Thai
        given = [
            part for one in node.args for part in ([one, one] if isinstance(one, ast.Starred) else [one])
        ]
        parts = dict(zip(("code", "en", "th", "place", "next_step"), given, strict=False))
        parts |= {keyword.arg or "": keyword.value for keyword in node.keywords}
        for part in ("th", "next_step"):
            told = parts.get(part)
            if told is None or (isinstance(told, ast.Constant) and not told.value):
                yield f"line {node.lineno}: {part} is missing"


def declared_length(path: PurePosixPath, text: str) -> Complaints:
    """A declared file has at most 120 lines; the fault catalogue has no cap."""
    if path.name != "faults.toml" and len(text.splitlines()) > DECLARED_LINES:
        yield f"{len(text.splitlines())} lines, {DECLARED_LINES} are allowed"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, the files it holds for (prefixes and a suffix), and a text that breaks it."""

    check: Callable[[PurePosixPath, str], Complaints]
    where: tuple[str, ...]
    suffix: str
    broken: str
    broken_path: str = "jobs/khlang/gold/job.py"
    besides: tuple[str, ...] = ()

    def holds_for(self, path: PurePosixPath) -> bool:
        """Whether the file is under this rule."""
        inside = any(str(path).startswith(prefix) for prefix in self.where)
        return inside and str(path).endswith(self.suffix) and path.name not in self.besides


SOURCE, CODE, ANY = ("jobs/", "dags/"), ("jobs/", "dags/", "tests/", "infra/"), ("",)
RULES = (
    Rule(module_length, CODE, ".py", "\n" * 301),
    Rule(module_length, ("dags/",), ".py", "\n" * 81, "dags/ingest.py"),
    Rule(function_length, CODE, ".py", "def long() -> None:\n" + "    x = 1\n" * 60),
    Rule(typed, CODE, ".py", "def outer() -> None:\n    def inner(x) -> None: ...\n"),
    Rule(documented, SOURCE, ".py", '"""Rows."""\nclass Visit: ...\n'),
    Rule(named_well, CODE, ".py", "info = 1\n"),
    Rule(frozen, ("jobs/",), ".py", "@dataclass(frozen=True)\nclass Visit: ...\n"),
    Rule(one_door, ("jobs/",), "job.py", "def run() -> None: ...\ndef walk() -> None: ...\n"),
    Rule(sentences, ("tests/",), ".py", "def test_it() -> None: ...\n"),
    Rule(
        next_step_told,
        ASKED,
        ".py",
        'raise SettingsError("a.b", "wrong", "ผิด", "here")\n',
        "jobs/khlang/commands/x.py",
    ),
    Rule(nothing_left_out, ANY, "", "# TO" + "DO later\n", besides=("LICENSE",)),
    Rule(no_machine, ANY, "", "path = '/ho" + "me/someone/lake'\n", besides=("LICENSE",)),
    Rule(declared_length, ("jobs/khlang/catalog/",), ".toml", "\n" * 121, "jobs/khlang/catalog/marts/a.toml"),
)
