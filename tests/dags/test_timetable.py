"""The timetable in dags/README.md says what the DAGs do, row for row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TIMETABLE = Path(__file__).resolve().parents[2] / "dags/README.md"


def written_rows() -> dict[str, list[str]]:
    rows = [line for line in TIMETABLE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {first: rest for first, *rest in cells if first not in ("DAG", "---")}


def unique(names: list[str]) -> str:
    return ", ".join(dict.fromkeys(names)) or "-"


def true_row(dag: dict[str, Any]) -> list[str]:
    woken = [f"asset {asset}" for asset in dag["trigger"]["assets"]]
    return [
        " or ".join([*woken, f"`{dag['trigger']['clock']}`"]),
        unique([task["name"] for task in dag["tasks"]]),
        unique([asset for task in dag["tasks"] for asset in task["reads"]]),
        unique([asset for task in dag["tasks"] for asset in task["writes"]]),
        f"{dag['deadline_minutes'][0]} min",
    ]


def test_the_timetable_is_true(dags: dict[str, Any]) -> None:
    assert written_rows() == {name: true_row(dag) for name, dag in dags.items()}
