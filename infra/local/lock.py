"""*.in -> *.txt (hash-locked requirements) and pom.xml -> jars.lock; neither holds an address."""

from __future__ import annotations

from environments import mirror_environment, python_of
from parts import HERE, PROJECT, VENVS, call

OPTIONS = (
    "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url",
    "--no-emit-find-links", "--custom-compile-command", "make lock",
)  # fmt: skip


def main() -> None:
    """Lock every requirements file, then the jars (they depend on the locked pyspark)."""
    uv = VENVS / "tools" / "bin" / "uv"
    for wanted in sorted((HERE / "requirements").glob("*.in")):
        call(
            uv, "pip", "compile", *OPTIONS, wanted, "-o", wanted.with_suffix(".txt"), env=mirror_environment()
        )
        print(f"locked {wanted.stem}", flush=True)
    call(python_of("lake"), PROJECT / "infra" / "spark" / "lock.py")
    print("locked jars", flush=True)


if __name__ == "__main__":
    main()
