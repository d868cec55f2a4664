"""What a commit says about itself: batch, code version, digests of contracts and policy."""

from __future__ import annotations

import hashlib
import secrets
import subprocess
from functools import cache
from importlib.resources import files

from khlang.conform.digest import rules_digest
from khlang.settings import PROJECT


@cache
def git_sha() -> str:
    """The commit of the code that runs, or "" outside a checkout."""
    try:
        asked = ["git", "-C", str(PROJECT), "rev-parse", "HEAD"]
        return subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


@cache
def contract_digest() -> str:
    """SHA-256 (16 hex digits) over the declared contracts, in the order of their names."""
    folder = files("khlang.catalog") / "contracts" / "th43"
    whole = hashlib.sha256()
    for path in sorted((p for p in folder.iterdir() if p.name.endswith(".toml")), key=lambda p: p.name):
        whole.update(path.name.encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()[:16]


def digests() -> tuple[str, str, str]:
    """(git sha, contract digest, policy digest) of a batch; the last covers all that decides de-identification."""
    return git_sha(), contract_digest(), rules_digest()


def note(batch: str) -> dict[str, str]:
    """The userMetadata of a commit."""
    sha, contract, rules = digests()
    return {"batch": batch, "git_sha": sha, "contract_digest": contract, "policy_digest": rules}


def attempt_name() -> str:
    """A name for this attempt's files: two attempts of one batch never write the same path."""
    return secrets.token_hex(4)
