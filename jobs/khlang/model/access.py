"""Who may do what in the stores: role x zone x action, as policies that an S3 server understands."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from khlang.errors import CatalogError

LIST = "s3:ListBucket"


@dataclass(frozen=True, slots=True)
class Right:
    """One allowed action of a role in a zone; `own_prefix`: only below the facility's own code."""

    role: str
    store: str
    zone: str
    own_prefix: bool
    action: str


@cache
def rights() -> tuple[Right, ...]:
    """Every declared right of catalog/access.csv; what is not declared is denied."""
    path = files("khlang.catalog") / "access.csv"
    return tuple(
        Right(row["role"], row["store"], row["zone"], row["own_prefix"] == "yes", row["action"])
        for row in csv.DictReader(path.read_text("utf-8").splitlines())
    )


def roles(store: str) -> tuple[str, ...]:
    """Roles that have a right in a store, in the declared order."""
    return tuple(dict.fromkeys(right.role for right in rights() if right.store == store))


def _statement(right: Right, bucket_prefix: str, own: str) -> dict[str, Any]:
    """One right as a statement: listing is a right on the bucket, everything else one on its objects."""
    bucket = f"arn:aws:s3:::{bucket_prefix}{right.zone}"
    resource = bucket if right.action == LIST else f"{bucket}/{own}*"
    statement: dict[str, Any] = {"Effect": "Allow", "Action": [right.action], "Resource": [resource]}
    if right.action == LIST and own:
        statement["Condition"] = {"StringLike": {"s3:prefix": [f"{own}*"]}}
    return statement


def policy_document(role: str, store: str, bucket_prefix: str = "", hospcode: str = "") -> dict[str, Any]:
    """The policy of a role in a store, as JSON says it; a facility's role needs its code.

    Raises CatalogError for a role without rights there, and for a facility without a code.
    """
    own = [right for right in rights() if right.role == role and right.store == store]
    if not own:
        raise CatalogError("access.role", f"role {role} has no right in store {store}", place="access.csv")
    if any(right.own_prefix for right in own) and not hospcode:
        raise CatalogError("access.prefix", f"role {role} needs a facility code", place="access.csv")
    statements = [_statement(r, bucket_prefix, f"{hospcode}/" if r.own_prefix else "") for r in own]
    return {"Version": "2012-10-17", "Statement": statements}


def allowed(role: str, store: str, zone: str, action: str, own: bool) -> bool:
    """Whether a role may do something in a zone; `own`: below the facility's own prefix."""
    return any(
        (right.role, right.store, right.zone, right.action) == (role, store, zone, action)
        and (own or not right.own_prefix)
        for right in rights()
    )
