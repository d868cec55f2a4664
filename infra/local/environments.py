"""Hash-locked Python environments, made by a hash-locked uv; mirrors come from pip's and uv's settings."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from parts import HERE, PROJECT, VENVS, Part, SetupError, call

OLDEST_PYTHON = (3, 11)
NAMES = ("lake", "airflow", "superset")
MIRRORS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
}
"""pip's setting -> uv's variable; uv's own variables, when set, win."""
BUILD = ("--no-build-isolation", "--config-settings-package", "pyspark:--build-option=--compression=stored")
"""Source packages (pyspark and two small ones) are built by the locked setuptools, nothing fetched unlocked;
pyspark's wheel is not deflated: it is unpacked at once, and deflating it took 20 s."""


def lock_of(name: str) -> Path:
    """The requirements of an environment, every one with its hashes."""
    return HERE / "requirements" / f"{name}.txt"


def python_of(name: str) -> Path:
    """The interpreter of an environment."""
    return VENVS / name / "bin" / "python"


def parts() -> tuple[Part, ...]:
    """uv first, then the three environments side by side."""
    uv = VENVS / "tools" / "bin" / "uv"
    tools = Part("tools", (lock_of("tools"),), uv, _make_tools)
    return (tools, *(_environment(name) for name in NAMES))


def _environment(name: str) -> Part:
    locks = (lock_of(name), lock_of("build"))
    return Part(name, locks, python_of(name), lambda: _make_environment(name), ("tools",))


def check_python() -> None:
    """Name the missing system package before anything else fails."""
    if sys.version_info[:2] < OLDEST_PYTHON:
        raise SetupError(f"Python {sys.version.split()[0]} is too old: Khlang needs 3.11 (python3.11)")
    for module in ("venv", "ensurepip"):
        try:
            __import__(module)
        except ImportError as error:
            version = ".".join(map(str, sys.version_info[:2]))
            raise SetupError(f"Python's module {module} is missing: install python{version}-venv") from error


def _make_tools() -> None:
    home = VENVS / "tools"
    shutil.rmtree(home, ignore_errors=True)
    call(sys.executable, "-m", "venv", home)
    locked = (
        "--require-hashes",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "-r",
        lock_of("tools"),
    )
    call(python_of("tools"), "-m", "pip", "install", "-q", *locked)


def _make_environment(name: str) -> None:
    uv, home, env = VENVS / "tools" / "bin" / "uv", VENVS / name, mirror_environment()
    if not python_of(name).exists():
        call(uv, "venv", "--quiet", "--clear", "--python", sys.executable, home, env=env)
    into = ("--quiet", "--require-hashes", "--python", python_of(name))
    call(uv, "pip", "install", *into, "-r", lock_of("build"), env=env)
    call(uv, "pip", "sync", *into, *BUILD, "--compile-bytecode", lock_of(name), env=env)


def mirror_environment() -> dict[str, str]:
    """The environment for uv: what pip is told about mirrors, uv is told too."""
    env = dict(os.environ)
    for name, value in _pip_settings().items():
        variable = MIRRORS.get(name)
        if variable and variable not in env:
            env[variable] = value.replace("\n", " ")
    env.setdefault("UV_HTTP_TIMEOUT", "180")
    env["UV_NO_CONFIG"] = env.get("UV_NO_CONFIG", "0")
    env.pop("VIRTUAL_ENV", None)
    return env


def _pip_settings() -> dict[str, str]:
    """pip's settings from its files and from PIP_* variables."""
    asked = subprocess.run(
        [str(python_of("tools")), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    pairs = (line.split("=", 1) for line in asked.stdout.splitlines() if "=" in line)
    settings = {key.split(".", 1)[-1]: value.strip("'\"") for key, value in pairs}
    prefix = ":env:."
    return {key.removeprefix(prefix).replace("_", "-"): value for key, value in settings.items()}


def install_project() -> None:
    """Put jobs/ on the path of the lake's environment and write its `khlang` command."""
    site = Path(sysconfig.get_path("purelib", vars={"base": str(VENVS / "lake")}))
    link = site / "khlang.pth"
    jobs = str(PROJECT / "jobs")
    shared = VENVS.parent != PROJECT
    if not link.exists() or (link.read_text().strip() != jobs and not shared):
        link.write_text(jobs + "\n")
    script = VENVS / "lake" / "bin" / "khlang"
    script.write_text(f"#!{python_of('lake')}\nfrom khlang.__main__ import main\n\nmain()\n")
    script.chmod(0o755)
