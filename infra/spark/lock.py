"""pom.xml -> jars.lock: group, artifact, version, SHA-256 of every jar that pyspark does not ship."""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

from jgo.config import GlobalSettings
from jgo.maven import MavenContext
from jgo.maven._model import Model
from jgo.maven._pom import POM

HERE = Path(__file__).resolve().parent


def shipped() -> set[str]:
    """Artifact names of the jars inside pyspark."""
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise SystemExit("pyspark is not installed in this environment")
    jars = (Path(spec.origin).parent / "jars").glob("*.jar")
    return {re.sub(r"-\d.*$", "", jar.name) for jar in jars}


def closure(context: MavenContext) -> list[tuple[str, str, str]]:
    """Group, artifact and version of the pom's closure, less what pyspark ships."""
    found, _ = Model(POM(HERE / "pom.xml"), context).dependencies()
    present = shipped()
    wanted = {(dep.groupId, dep.artifactId, dep.version) for dep in found if dep.artifactId not in present}
    return sorted(wanted)


def line(context: MavenContext, group: str, artifact: str, version: str) -> str:
    """One line of the lock."""
    jar = context.project(group, artifact).at_version(version).artifact().resolve()
    return f"{group} {artifact} {version} {hashlib.sha256(jar.read_bytes()).hexdigest()}"


def main() -> None:
    """Resolve from an empty cache, so that the lock never depends on what this machine has."""
    with tempfile.TemporaryDirectory() as cache:
        mirrors = GlobalSettings.load().repositories or None
        context = MavenContext(repo_cache=Path(cache), remote_repos=mirrors, timeout=60)
        wanted = closure(context)
        with ThreadPoolExecutor(8) as pool:
            lines = list(pool.map(lambda gav: line(context, *gav), wanted))
    (HERE / "jars.lock").write_text("\n".join(lines) + "\n")
    print(f"{len(lines)} jars locked", file=sys.stderr)


if __name__ == "__main__":
    main()
