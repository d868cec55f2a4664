"""Who may do what in the stores: role x zone x action, as policies that an S3 server understands."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from khlang.errors import CatalogError

LIST = "s3:ListBucket"
OWN = "{hospcode}/"
"""The prefix of a right that each facility has below its own code only."""


@dataclass(frozen=True, slots=True)
class Right:
    """One allowed action of a role in a zone; `below`: only below that prefix (OWN: the facility's code)."""

    role: str
    store: str
    zone: str
    below: str
    action: str


@cache
def rights() -> tuple[Right, ...]:
    """Every declared right of catalog/access.csv; what is not declared is denied."""
    path = files("khlang.catalog") / "access.csv"
    return tuple(Right(**row) for row in csv.DictReader(path.read_text("utf-8").splitlines()))


def roles(store: str) -> tuple[str, ...]:
    """Roles that have a right in a store, in the declared order."""
    return tuple(dict.fromkeys(right.role for right in rights() if right.store == store))


def _statement(right: Right, bucket_prefix: str, below: str) -> dict[str, Any]:
    """One right as a statement: listing is a right on the bucket, everything else one on its objects."""
    bucket = f"arn:aws:s3:::{bucket_prefix}{right.zone}"
    resource = bucket if right.action == LIST else f"{bucket}/{below}*"
    statement: dict[str, Any] = {"Effect": "Allow", "Action": [right.action], "Resource": [resource]}
    if right.action == LIST and below:
        statement["Condition"] = {"StringLike": {"s3:prefix": [f"{below}*"]}}
    return statement


def policy_document(role: str, store: str, bucket_prefix: str = "", hospcode: str = "") -> dict[str, Any]:
    """The policy of a role in a store, as JSON says it; a facility's role needs its code.

    Raises CatalogError for a role without rights there, and for a facility without a code.
    """
    own = [right for right in rights() if right.role == role and right.store == store]
    if not own:
        raise CatalogError("access.role", f"role {role} has no right in store {store}", place="access.csv")
    if any(right.below == OWN for right in own) and not hospcode:
        raise CatalogError("access.prefix", f"role {role} needs a facility code", place="access.csv")
    statements = [_statement(r, bucket_prefix, r.below.format(hospcode=hospcode)) for r in own]
    return {"Version": "2012-10-17", "Statement": statements}


def allowed(role: str, store: str, zone: str, action: str, prefix: str, hospcode: str = "") -> bool:
    """Whether a role may do something below a prefix of a zone (the role of that facility, if it is one)."""
    return any(
        (right.role, right.store, right.zone, right.action) == (role, store, zone, action)
        and prefix.startswith(right.below.format(hospcode=hospcode))
        for right in rights()
    )
