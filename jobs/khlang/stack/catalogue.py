"""The services of the embedded stack, in an order in which each comes after what it needs."""

from __future__ import annotations

from khlang.lake.stores import Which
from khlang.settings import Settings
from khlang.stack import airflow, front_door, openbao, postgres, seaweed, superset
from khlang.stack.service import Service


def services(settings: Settings) -> tuple[Service, ...]:
    """What runs here: an S3 store that is set to another endpoint is not ours to start."""
    elsewhere: dict[Which, str] = {"lake": settings.lake_endpoint, "landing": settings.landing_endpoint}
    stores = [seaweed.service(settings, which) for which, endpoint in elsewhere.items() if not endpoint]
    pages = (superset.service(settings), front_door.service(settings))
    own_keys = [openbao.service(settings)] if openbao.wanted(settings) else []
    return (*own_keys, *stores, postgres.service(settings), *airflow.services(settings), *pages)
