"""The set-up: a part is made again when its inputs change, jars are what the lock says, byte code is there."""

from __future__ import annotations

import hashlib
import importlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from khlang.settings import PROJECT

LOCAL = PROJECT / "infra" / "local"
LOCKS = sorted((LOCAL / "requirements").glob("*.txt"))


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, ModuleType]]:
    """The scripts of infra/local over an empty folder of environments."""
    monkeypatch.setenv("KHLANG_VENVS", str(tmp_path / "venvs"))
    monkeypatch.syspath_prepend(str(LOCAL))
    names = ("parts", "bytecode", "jars", "java", "environments")
    yield {name: importlib.import_module(name) for name in names}
    for name in names:
        sys.modules.pop(name, None)


def test_a_part_is_made_once_and_again_when_an_input_changes(
    module: dict[str, ModuleType], tmp_path: Path
) -> None:
    lock, result, made = tmp_path / "lock", tmp_path / "result", []
    lock.write_text("one")
    result.write_text("")
    part = module["parts"].Part("piece", (lock,), result, lambda: made.append(1))
    assert module["parts"].run_all((part,)) == 1
    assert module["parts"].run_all((part,)) == 0
    lock.write_text("two")
    assert module["parts"].run_all((part,)) == 1
    result.unlink()
    assert not part.is_done()
    assert len(made) == 2


def test_a_part_that_failed_is_not_taken_for_done(module: dict[str, ModuleType], tmp_path: Path) -> None:
    def breaks() -> None:
        raise module["parts"].SetupError("no")

    part = module["parts"].Part("piece", ("x",), tmp_path, breaks)
    with pytest.raises(SystemExit):
        module["parts"].run_all((part,))
    assert not part.is_done()


def test_every_requirement_is_locked_by_hash_without_an_address() -> None:
    assert {"lake", "airflow", "superset", "tools", "build"} <= {lock.stem for lock in LOCKS}
    for lock in LOCKS:
        text = lock.read_text()
        pins = re.findall(r"^[a-z0-9][^ ]*==[^ ]+", text, re.MULTILINE)
        blocks = re.split(r"\n(?=[a-z0-9])", text)
        hashed = [block for block in blocks if "==" in block.split(" ")[0] and "--hash=sha256:" in block]
        assert pins and len(hashed) == len(pins), lock.name
        assert not re.search(r"https?://|--index|--find-links", text), lock.name


def test_the_jars_are_few_locked_and_without_the_aws_bundle() -> None:
    lines = [line.split() for line in (PROJECT / "infra/spark/jars.lock").read_text().splitlines()]
    assert 40 <= len(lines) <= 48
    assert all(len(line) == 4 and re.fullmatch(r"[0-9a-f]{64}", line[3]) for line in lines)
    assert "bundle" not in {line[1] for line in lines}
    assert {"delta-spark_4.2_2.13", "hadoop-aws", "s3"} <= {line[1] for line in lines}


def test_a_jar_with_another_checksum_is_not_used(module: dict[str, ModuleType], tmp_path: Path) -> None:
    class Context:
        def project(self, *_: str) -> Context:
            return self

        at_version = artifact = project

        def resolve(self) -> Path:
            found = tmp_path / "found.jar"
            found.write_bytes(b"not it")
            return found

    target = tmp_path / "target.jar"
    with pytest.raises(SystemExit, match="SHA-256"):
        module["jars"]._fetch(Context(), ["g", "a", "1", hashlib.sha256(b"it").hexdigest()], target)
    assert not target.exists()


def test_a_compiled_zip_imports_its_byte_code_and_no_link_to_the_old_file_is_changed(
    module: dict[str, ModuleType], tmp_path: Path
) -> None:
    archive, cached = tmp_path / "some.zip", tmp_path / "cached.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("some/__init__.py", "place = __file__")
    cached.hardlink_to(archive)
    before = cached.read_bytes()
    assert module["bytecode"].compile_zip(archive) == 1
    assert cached.read_bytes() == before
    asked = subprocess.run(
        [sys.executable, "-c", "import some; print(some.__spec__.loader.get_filename('some'), some.__file__)"],
        env={"PYTHONPATH": str(archive)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "__init__.pyc" in asked.stdout


def test_spark_workers_find_compiled_pyspark(module: dict[str, ModuleType]) -> None:
    zips = module["bytecode"].zips()
    assert len(zips) == 2
    for archive in zips:
        names = set(zipfile.ZipFile(archive).namelist())
        sources = {name for name in names if name.endswith(".py")}
        assert sources and {f"{name}c" for name in sources} <= names, f"{archive}: run `make setup`"


def test_the_java_of_the_wheel_runs_behind_its_wrapper_without_the_missing_module(
    module: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    venvs = tmp_path / "venvs"
    venvs.mkdir()
    (venvs / "lake").symlink_to(sys.prefix)
    monkeypatch.setattr(module["java"], "VENVS", venvs)
    module["java"].make_wrapper()
    home = venvs / "java"
    assert module["java"].release(home) >= 17
    told = subprocess.run(
        [home / "bin" / "java", "--add-modules=jdk.incubator.vector", "-Dsome=two words", "-version"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert "version" in told.stderr
