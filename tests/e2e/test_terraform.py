"""Terraform makes what the embedded stack makes: applied once on real stores, nothing left to do, gone again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from khlang.lake.secrets import Secrets
from khlang.lake.stores import BUCKETS, boto, endpoint, iam
from khlang.model.access import policy_document, roles
from khlang.settings import Settings

from .stores import two_stores

PROJECT = Path(__file__).resolve().parents[2]
TERRAFORM = shutil.which("terraform")
MIRRORS = (
    os.environ.get("KHLANG_TERRAFORM_MIRROR", ""), "~/.terraform.d/plugins",
    "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins", "/opt/tf-plugins",
)  # fmt: skip
"""Folders in which a machine may keep providers."""
FACILITY, PREFIX = "99999", "tf-"
Json = dict[str, Any]


def provider_mirror() -> Path | None:
    """The folder that holds the pinned provider, where there is one."""
    folders = [Path(folder).expanduser() for folder in MIRRORS if folder]
    return next((found for found in folders if any(found.glob("*/hashicorp/aws/5.100.0"))), None)


@dataclass(frozen=True, slots=True)
class Workspace:
    """A copy of terraform/ with its own plug-in folder and state."""

    folder: Path
    environment: dict[str, str]

    def run(self, *words: str, expect: int = 0) -> str:
        """Run terraform; its output, or a failure that shows the end of it."""
        command = [str(TERRAFORM), f"-chdir={self.folder}", *words]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == expect, (words[0], done.returncode, (done.stdout + done.stderr)[-3000:])
        return done.stdout


def declared(prefix: str) -> Json:
    """Store -> user -> policy, as the embedded stack would make them."""
    found: Json = {"lake": {}, "landing": {}}
    for store, users in found.items():
        for role in roles(store):
            name = f"facility-{FACILITY}" if role == "facility" else role
            users[name] = policy_document(role, store, prefix, FACILITY)
    return found


def same(policies: Json) -> Json:
    """Policies with their statements in one order."""
    return {
        store: {
            user: sorted(json.dumps(each, sort_keys=True) for each in policy["Statement"])
            for user, policy in users.items()
        }
        for store, users in policies.items()
    }


def copied(tmp_path: Path, part: str = "terraform") -> Workspace:
    """terraform/ and the declared rights, laid out as in the project."""
    ignored = shutil.ignore_patterns(".terraform", "*.tfstate*")
    shutil.copytree(PROJECT / "terraform", tmp_path / "terraform", ignore=ignored)
    rights = tmp_path / "jobs/khlang/catalog"
    rights.mkdir(parents=True)
    shutil.copy(PROJECT / "jobs/khlang/catalog/access.csv", rights)
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    switches = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "NO_PROXY": "127.0.0.1"}
    return Workspace(tmp_path / part, kept | switches)


def test_the_declared_buckets_are_those_of_the_zones() -> None:
    text = (PROJECT / "terraform/main.tf").read_text("utf-8")
    assert "toset([" + ", ".join(f'"{zone}"' for zone in BUCKETS["lake"]) + "])" in text
    assert "{ " + ", ".join(f"{z} = {str(z == 'landing').lower()}" for z in BUCKETS["landing"]) + " }" in text


def test_terraform_works_out_the_same_rights_as_the_embedded_stack(tmp_path: Path) -> None:
    if TERRAFORM is None:
        print("terraform is not on this machine: its policies were not worked out, nothing was applied")
        assert (PROJECT / "terraform/modules/rights/main.tf").is_file()
        return
    workspace = copied(tmp_path, "terraform/modules/rights")
    workspace.run("init", "-no-color")
    given = ["-var", f"prefix={PREFIX}", "-var", f'facilities=["{FACILITY}"]']
    workspace.run("apply", "-auto-approve", "-no-color", *given)
    found = json.loads(workspace.run("output", "-json", "policies"))
    assert same(found) == same(declared(PREFIX))


def test_terraform_files_are_formatted() -> None:
    if TERRAFORM is None:
        print("terraform is not on this machine: the form of its files was not checked")
        assert list((PROJECT / "terraform").rglob("*.tf"))
        return
    command = [TERRAFORM, "fmt", "-check", "-recursive", str(PROJECT / "terraform")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """Two stores of this test's own."""
    with two_stores(tmp_path / "home") as found:
        yield found


@pytest.mark.stack
@pytest.mark.long
def test_terraform_applies_twice_without_a_change_and_goes_without_a_trace(
    tmp_path: Path, settings: Settings
) -> None:
    mirror = provider_mirror()
    if TERRAFORM is None or mirror is None:
        print("no terraform or no mirror with the aws provider 5.100.0: terraform was not applied")
        assert "5.100.0" in (PROJECT / "terraform/.terraform.lock.hcl").read_text("utf-8")
        return
    workspace = _with_secrets(copied(tmp_path), settings)
    workspace.run("init", "-no-color", f"-plugin-dir={mirror}", "-lockfile=readonly")
    given = ["-no-color", "-var-file=environments/embedded.tfvars", *_variables(settings)]
    workspace.run("apply", "-auto-approve", *given)
    workspace.run("plan", "-detailed-exitcode", *given)  # 2 would mean that something is left to do
    assert same(json.loads(workspace.run("output", "-json", "policies"))) == same(declared(PREFIX))
    assert _made(settings) == {"lake": 3, "landing": 2}
    assert _is_locked(settings)
    assert _attached(settings) == set(declared(PREFIX)["landing"])
    workspace.run("destroy", "-auto-approve", *given)
    assert _made(settings) == {"lake": 0, "landing": 0}
    assert not _attached(settings)


def _with_secrets(workspace: Workspace, settings: Settings) -> Workspace:
    """The stores' administrators as variables of the environment, never on a command line."""
    secrets = Secrets.open(settings)
    names = [f"{store}_{kind}_key" for store in BUCKETS for kind in ("access", "secret")]
    given = {f"TF_VAR_{name}": getattr(secrets, name) for name in names}
    return Workspace(workspace.folder, workspace.environment | given)


def _variables(settings: Settings) -> list[str]:
    """Endpoints of this test's stores, a prefix and a facility of its own."""
    given = {"prefix": PREFIX, "facilities": f'["{FACILITY}"]'}
    given |= {f"{store}_endpoint": endpoint(settings, store) for store in BUCKETS}
    return [word for name, value in given.items() for word in ("-var", f"{name}={value}")]


def _made(settings: Settings) -> dict[str, int]:
    """How many of its buckets stand in each store."""
    found = {}
    for store in BUCKETS:
        names = [bucket["Name"] for bucket in boto(settings, store).list_buckets()["Buckets"]]
        found[str(store)] = sum(name.startswith(PREFIX) for name in names)
    return found


def _is_locked(settings: Settings) -> bool:
    """Whether landing has object lock and the versions that it needs."""
    landing = boto(settings, "landing")
    lock = landing.get_object_lock_configuration(Bucket=f"{PREFIX}landing")["ObjectLockConfiguration"]
    versions = landing.get_bucket_versioning(Bucket=f"{PREFIX}landing").get("Status")
    return lock["ObjectLockEnabled"] == "Enabled" and versions == "Enabled"


def _attached(settings: Settings) -> set[str]:
    """Users of the landing store that carry a policy of this test."""
    users = [user["UserName"] for user in iam(settings, "landing").list_users()["Users"]]
    return {name.removeprefix(PREFIX) for name in users if name.startswith(PREFIX)}
