"""De-identification policy: privacy class -> one action, per audience; closed by default."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, cast

from khlang.errors import PrivacyError
from khlang.model.contract import PRIVACY_CLASSES, Column

Action = Literal["keep", "drop", "pseudonym", "scrub"]
ACTIONS = frozenset({"keep", "drop", "pseudonym", "scrub"})


@dataclass(frozen=True, slots=True)
class Policy:
    """One declared policy; `digest` goes into every commit, so that a change marks what must be rebuilt."""

    name: str
    audience: str
    actions: dict[str, Action]
    local_domains: dict[str, bool]
    digest: str

    def action(self, column: Column) -> Action:
        """The action for a column; raises PrivacyError when its class or domain has no rule."""
        action = self.actions.get(column.privacy)
        if action is None:
            raise PrivacyError("policy.class", f"class {column.privacy} has no action", place=column.name)
        if action == "pseudonym" and column.domain not in self.local_domains:
            raise PrivacyError("policy.domain", f"domain {column.domain} is not declared", place=column.name)
        return action


def parse(text: str, where: str) -> Policy:
    """TOML text -> Policy; raises PrivacyError on a class without an action or an unknown action."""
    raw = tomllib.loads(text)
    actions: dict[str, str] = raw["actions"]
    missing = PRIVACY_CLASSES - set(actions)
    unknown = set(actions) - PRIVACY_CLASSES | set(actions.values()) - ACTIONS
    if missing or unknown:
        raise PrivacyError(
            "policy.incomplete", f"missing {sorted(missing)}, unknown {sorted(unknown)}", place=where
        )
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Policy(
        raw["name"], raw["audience"], cast(dict[str, Action], actions), raw["local_domains"], digest
    )


@cache
def policy(name: str) -> Policy:
    """The declared policy catalog/policies/<name>.toml; raises PrivacyError when there is none."""
    path = files("khlang.catalog") / "policies" / f"{name}.toml"
    if not path.is_file():
        raise PrivacyError("policy.unknown", f"policy {name} is not declared")
    return parse(path.read_text("utf-8"), f"{name}.toml")
