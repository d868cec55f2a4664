"""A fresh clone: `make demo` from nothing, once more, and the planner's page of the stack that it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.lake import free_base
from bench.page import measure
from khlang.settings import OFFSETS, PROJECT

Say = Callable[[str], None]
PLANNER = "planner"


def demo(folder: Path, say: Say) -> dict[str, Any]:
    """Seconds of both demos (the second one delivers the next month), and what the page took.

    Packages come from the index and caches that the machine has: the first figure depends on them.
    """
    clone, home, base = folder / "clone", folder / "home", free_base()
    subprocess.run(["git", "clone", "-q", str(PROJECT), str(clone)], check=True)
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("KHLANG_", "PYTHONPATH"))
    }
    # Not this environment's Python: the clone makes its own.
    python = getattr(sys, "_base_executable", sys.executable)
    environment = {**kept, "KHLANG_HOME": str(home), "KHLANG_BASE_PORT": str(base), "PYTHON": python}
    seconds = []
    try:
        for turn in ("first", "again"):
            start = time.perf_counter()
            with (folder / f"{turn}.log").open("wb") as log:
                made = subprocess.run(
                    ["make", "demo"], cwd=clone, env=environment, stdout=log, stderr=log, check=False
                )
            seconds.append(round(time.perf_counter() - start, 1))
            if made.returncode:
                raise OSError(
                    f"make demo ({turn}) ended with {made.returncode}:\n{_tail(folder / f'{turn}.log')}"
                )
            say(f"  {turn}: {seconds[-1]} s")
        password = json.loads((home / "secrets.json").read_text())["superset_planner_password"]
        page = measure(f"http://127.0.0.1:{base + OFFSETS['superset']}", PLANNER, password)
    finally:
        subprocess.run(["make", "down"], cwd=clone, env=environment, check=False, capture_output=True)
    return {"first_s": seconds[0], "again_s": seconds[1], "page": page}


def _tail(log: Path) -> str:
    return log.read_text("utf-8", errors="replace")[-2000:]
