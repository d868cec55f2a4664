"""Addresses and clients of the two S3 stores (lake, landing) and of the ledger's database."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlsplit

from khlang.lake.secrets import Secrets
from khlang.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

Which = Literal["lake", "landing"]

BUCKETS: dict[Which, tuple[str, ...]] = {
    "lake": ("bronze", "silver", "gold"),
    "landing": ("inbox", "landing"),
}
"""Store -> its zones; landing's store is apart so that "all but landing" is a list of folders."""


def endpoint(settings: Settings, which: Which) -> str:
    """URL of a store: the setting, else the embedded one."""
    configured: str = getattr(settings, f"{which}_endpoint")
    return configured or f"http://127.0.0.1:{settings.port(f'{which}_s3')}"


def credentials(settings: Settings, which: Which) -> tuple[str, str]:
    """Access key and secret key of a store."""
    secrets = Secrets.open(settings)
    return getattr(secrets, f"{which}_access_key"), getattr(secrets, f"{which}_secret_key")


def boto(settings: Settings, which: Which) -> S3Client:
    """The S3 client of this process; threads may share it, and a forked process gets its own."""
    client: S3Client = _client(settings, which, "s3")
    return client


def iam(settings: Settings, which: Which) -> IAMClient:
    """The store's IAM client: users and policies of facilities."""
    client: IAMClient = _client(settings, which, "iam")
    return client


def _client(settings: Settings, which: Which, service: str) -> Any:
    place, keys = endpoint(settings, which), credentials(settings, which)
    return _made(service, place, keys, settings.region, os.getpid())


@lru_cache(maxsize=32)
def _made(service: str, place: str, keys: tuple[str, str], region: str, process: int) -> Any:
    """One client per store and process: making one reads megabytes of botocore's models, 0.3 s of a core."""
    import boto3
    from botocore.config import Config

    config = Config(
        s3={"addressing_style": "path"},
        retries={"mode": "standard", "max_attempts": 8},
        connect_timeout=10,
        read_timeout=120,
        max_pool_connections=16,
        proxies={} if is_local(place) else None,
    )
    make: Any = boto3.session.Session().client  # the overloads name every service by a literal
    access, secret = keys
    return make(
        service,
        endpoint_url=place,
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        region_name=region,
        config=config,
    )


def storage_options(settings: Settings) -> dict[str, str]:
    """Options of delta-rs and polars on the lake store; commits are conditional puts (no lost commits)."""
    access, secret = credentials(settings, "lake")
    url = endpoint(settings, "lake")
    return {
        "aws_endpoint_url": url,
        "aws_access_key_id": access,
        "aws_secret_access_key": secret,
        "aws_region": settings.region,
        "aws_virtual_hosted_style_request": "false",
        "aws_allow_http": str(urlsplit(url).scheme == "http").lower(),
        "aws_conditional_put": "etag",
    }


def s3a_options(settings: Settings) -> dict[str, str]:
    """Hadoop's options of the lake store. Landing has none: only workers open it, by boto, by reference."""
    access, secret = credentials(settings, "lake")
    url = endpoint(settings, "lake")
    return {
        "fs.s3a.endpoint": url,
        "fs.s3a.endpoint.region": settings.region,
        "fs.s3a.access.key": access,
        "fs.s3a.secret.key": secret,
        "fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
        "fs.s3a.path.style.access": "true",
        "fs.s3a.connection.ssl.enabled": str(urlsplit(url).scheme == "https").lower(),
        "fs.s3a.fast.upload.buffer": "bytebuffer",
        "fs.s3a.buffer.dir": str(settings.root / "tmp" / "s3a"),
        "fs.s3a.attempts.maximum": "8",
        "fs.s3a.change.detection.mode": "none",
    }


def ledger_url(settings: Settings) -> str:
    """SQLAlchemy URL of the ledger's database: the setting, else the embedded PostgreSQL."""
    return settings.database_url or _database_url(
        settings, "khlang", Secrets.open(settings).database_password
    )


def planner_url(settings: Settings) -> str:
    """URL by which dashboards read schema serving; the role may read nothing else."""
    return _database_url(settings, "planner", Secrets.open(settings).planner_db_password)


def _database_url(settings: Settings, role: str, password: str) -> str:
    return f"postgresql+psycopg://{role}:{quote(password)}@127.0.0.1:{settings.port('database')}/khlang"


def is_local(url: str) -> bool:
    """Whether a store is on this machine: it is then called past any proxy."""
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}
