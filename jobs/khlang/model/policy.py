"""De-identification policy: privacy class -> one action, per audience; closed by default."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal, cast, get_args

from khlang.errors import PrivacyError
from khlang.model.contract import PRIVACY_CLASSES, Column, WireType, contracts

Action = Literal["keep", "drop", "pseudonym", "scrub", "month", "band", "coarse", "purpose"]
ACTIONS: frozenset[str] = frozenset(get_args(Action))
TYPES: frozenset[str] = frozenset(get_args(WireType))
FITS: Mapping[str, frozenset[str]] = {
    "keep": TYPES, "drop": TYPES, "purpose": TYPES, "pseudonym": frozenset({"char"}), "scrub": frozenset({"char"}),
    "coarse": frozenset({"char"}), "month": frozenset({"date", "datetime"}), "band": frozenset({"date"}),
}  # fmt: skip
"""Action -> the wire types that it knows how to treat."""
LAKE = "lake"
"""The audience whose policy is applied to raw values; every other one's is applied to rows of silver."""
_RAW_ONLY = frozenset({"scrub"})
_LEAVING_ONLY = frozenset({"month", "band", "coarse", "purpose"})


@dataclass(frozen=True, slots=True)
class Policy:
    """One declared policy: (class, wire type) -> action. `digest` is its file's alone (see conform.digest).

    `coarse` names the columns that the action of that name leaves standing, `purposes` the columns
    ("chronic.chronic") that a named purpose may have.
    """

    name: str
    audience: str
    actions: dict[tuple[str, str], Action]
    local_domains: dict[str, bool]
    digest: str
    coarse: frozenset[str] = frozenset()
    purposes: dict[str, frozenset[str]] = field(default_factory=dict)

    def action(self, column: Column) -> Action:
        """The action for a column; raises PrivacyError when its class or domain has no rule, or none that fits."""
        action = self.actions.get((column.privacy, column.type))
        if action is None:
            words = f"class {column.privacy} has no action for type {column.type}"
            raise PrivacyError("policy.class", words, place=column.name)
        if column.type not in FITS[action]:
            words = f"action {action} does not fit type {column.type}"
            raise PrivacyError("policy.type", words, place=column.name)
        if action == "pseudonym" and column.domain not in self.local_domains:
            raise PrivacyError("policy.domain", f"domain {column.domain} is not declared", place=column.name)
        return action

    def allowed(self, purpose: str) -> frozenset[str]:
        """The columns of a purpose; raises PrivacyError when the policy does not declare it."""
        if purpose not in self.purposes:
            raise PrivacyError("policy.purpose", "the purpose is not declared", place=self.name)
        return self.purposes[purpose]


def _rules(raw: Mapping[str, Any], where: str) -> dict[tuple[str, str], Action]:
    """Declared actions, one for a class or one for each of its wire types -> (class, type) -> action."""
    rules: dict[tuple[str, str], str] = {}
    for privacy, told in raw.items():
        by_type = told if isinstance(told, dict) else dict.fromkeys(TYPES, told)
        rules |= {(privacy, kind): action for kind, action in by_type.items()}
    missing = PRIVACY_CLASSES - set(raw)
    unknown = (set(raw) - PRIVACY_CLASSES) | {str(a) for a in rules.values() if a not in ACTIONS}
    unknown |= {kind for _, kind in rules} - TYPES
    if missing or unknown:
        raise PrivacyError(
            "policy.incomplete", f"missing {sorted(missing)}, unknown {sorted(unknown)}", place=where
        )
    return cast(dict[tuple[str, str], Action], rules)


def parse(text: str, where: str) -> Policy:
    """TOML text -> Policy; raises PrivacyError on a class without an action or an unknown action."""
    raw = tomllib.loads(text)
    rules, audience = _rules(raw["actions"], where), raw["audience"]
    misplaced = set(rules.values()) & (_LEAVING_ONLY if audience == LAKE else _RAW_ONLY)
    if misplaced:
        words = f"{', '.join(sorted(misplaced))} is no action for this audience"
        raise PrivacyError("policy.audience", words, place=where)
    if audience != LAKE and any(raw["local_domains"].values()):
        # The lake's pseudonym of a facility's own id has its facility in it already.
        raise PrivacyError("policy.local", "a pseudonym of the lake is never local", place=where)
    purposes = {name: frozenset(told["columns"]) for name, told in raw.get("purposes", {}).items()}
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    coarse = frozenset(raw.get("coarse", {}).get("columns", ()))
    return Policy(raw["name"], audience, rules, raw["local_domains"], digest, coarse, purposes)


def fits(declared: Policy, columns: Iterable[tuple[str, Column]]) -> Policy:
    """The policy itself when every column (file, column) has an action that fits and every named column exists.

    Raises PrivacyError.
    """
    known, named = set(), set()
    for file, column in columns:
        declared.action(column)
        known.add(column.name)
        named.add(f"{file.lower()}.{column.field}")
    wanted = {column for allowed in declared.purposes.values() for column in allowed}
    strange = (declared.coarse - known) | (wanted - named)
    if strange:
        raise PrivacyError("policy.column", f"unknown columns {sorted(strange)}", place=declared.name)
    return declared


@cache
def policy(name: str) -> Policy:
    """The declared policy catalog/policies/<name>.toml, checked against every contract; raises PrivacyError."""
    path = files("khlang.catalog") / "policies" / f"{name}.toml"
    if not path.is_file():
        raise PrivacyError("policy.unknown", f"policy {name} is not declared")
    columns = ((contract.file, column) for contract in contracts().values() for column in contract.current)
    return fits(parse(path.read_text("utf-8"), f"{name}.toml"), columns)
