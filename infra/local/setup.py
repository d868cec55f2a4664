"""Set-up of a checkout: environments, byte code, Java, jars. `make setup`; a second run finds all done."""

from __future__ import annotations

import environments
import java
from parts import HERE, PROJECT, VENVS, Part, call, run_all

LOCK = PROJECT / "infra" / "spark" / "jars.lock"


def parts() -> tuple[Part, ...]:
    """All parts, each after what it needs."""
    lake, lock = environments.python_of("lake"), environments.lock_of("lake")
    jars, zips = VENVS / "jars", HERE / "bytecode.py"
    made = [
        *environments.parts(),
        Part("jars", (LOCK,), jars, lambda: call(lake, HERE / "jars.py", LOCK, jars), ("lake",)),
        Part("bytecode", (lock, zips), lake, lambda: call(lake, zips), ("lake",)),
    ]
    if java.found() is None:
        wrapper = VENVS / "java" / "bin" / "java"
        made.append(Part("java", (lock, HERE / "java.py"), wrapper, java.make_wrapper, ("lake",)))
    maker, archive = HERE / "archive.py", VENVS / "spark.jsa"
    needs = ("lake", "jars", "bytecode", "java")
    made.append(Part("classes", (lock, LOCK, maker), archive, lambda: call(lake, maker), needs))
    return tuple(made)


def main() -> None:
    """Make what is missing, then put the project on the lake's path."""
    environments.check_python()
    run_all(parts())
    environments.install_project()


if __name__ == "__main__":
    main()
