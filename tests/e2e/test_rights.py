"""Rights against the real S3 servers: every role, zone and verb, with real credentials; default deny."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from khlang.lake.stores import BUCKETS, Which, boto, endpoint, iam
from khlang.model.access import allowed, policy_document, rights, roles
from khlang.settings import Settings

from .stores import two_stores

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.stack

OWN, FOREIGN, NAMES = "99999", "99998", "_names"
STORES: tuple[Which, ...] = ("lake", "landing")
VERBS: dict[str, Callable[[S3Client, str, str], object]] = {
    "s3:GetObject": lambda s3, bucket, prefix: s3.get_object(Bucket=bucket, Key=f"{prefix}/kept"),
    "s3:PutObject": lambda s3, bucket, prefix: s3.put_object(Bucket=bucket, Key=f"{prefix}/new", Body=b"1"),
    "s3:DeleteObject": lambda s3, bucket, prefix: s3.delete_object(Bucket=bucket, Key=f"{prefix}/old"),
    "s3:ListBucket": lambda s3, bucket, prefix: s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/"),
}
CELLS = [
    (role, store, zone, verb, prefix)
    for store in STORES
    for role in roles(store)
    for zone in BUCKETS[store]
    for verb in VERBS
    for prefix in (OWN, FOREIGN, NAMES)
]


@dataclass(frozen=True, slots=True)
class People:
    """A client with the credentials of every (store, role)."""

    clients: dict[tuple[str, str], S3Client]


def _client(settings: Settings, store: Which, key: str, secret: str) -> S3Client:
    """A client that tries once and goes nowhere but to the store."""
    config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, proxies={})
    client: S3Client = boto3.session.Session().client(
        "s3", endpoint_url=endpoint(settings, store), aws_access_key_id=key,
        aws_secret_access_key=secret, region_name=settings.region, config=config,
    )  # fmt: skip
    return client


def _permitted(attempt: Callable[[], object]) -> bool:
    """Whether the store let it through; any other refusal than 'denied' is a failure of the test."""
    try:
        attempt()
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied", error
        return False
    return True


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Two stores with objects of two facilities in every zone."""
    with two_stores(tmp_path_factory.mktemp("rights")) as found:
        for store in STORES:
            for zone in BUCKETS[store]:
                for key in [
                    f"{prefix}/{name}" for prefix in (OWN, FOREIGN, NAMES) for name in ("kept", "old")
                ]:
                    boto(found, store).put_object(Bucket=found.bucket(zone), Key=key, Body=b"1")
        yield found


@pytest.fixture(scope="module")
def people(settings: Settings) -> People:
    """A user with an access key for every role of every store."""
    clients: dict[tuple[str, str], S3Client] = {}
    for store in STORES:
        users = iam(settings, store)
        for role in roles(store):
            document = policy_document(role, store, hospcode=OWN)
            users.create_user(UserName=role)
            users.put_user_policy(UserName=role, PolicyName=role, PolicyDocument=json.dumps(document))
            key = users.create_access_key(UserName=role)["AccessKey"]
            clients[store, role] = _client(settings, store, key["AccessKeyId"], key["SecretAccessKey"])
    return People(clients)


def _await_rights(people: People, settings: Settings) -> None:
    """The stores take a moment to hear of a new key: wait until each role's first right works."""
    deadline = time.monotonic() + 30
    for (store, role), client in people.clients.items():
        first = next(r for r in rights() if (r.store, r.role) == (store, role) and r.action in VERBS)
        while not _heard(lambda c=client, r=first: VERBS[r.action](c, settings.bucket(r.zone), OWN)):  # type: ignore[misc]
            assert time.monotonic() < deadline, f"{role} has no right after 30 s"
            time.sleep(0.2)


def _heard(attempt: Callable[[], object]) -> bool:
    """Whether the store knows the key by now."""
    try:
        attempt()
    except ClientError:
        return False
    return True


def test_every_role_may_do_what_is_declared_and_nothing_else(people: People, settings: Settings) -> None:
    _await_rights(people, settings)
    wrong = []
    for role, store, zone, verb, prefix in CELLS:
        client, bucket = people.clients[store, role], settings.bucket(zone)
        found = _permitted(lambda c=client, b=bucket, v=verb, p=prefix: VERBS[v](c, b, p))  # type: ignore[misc]
        if found != allowed(role, store, zone, verb, f"{prefix}/", OWN):
            wrong.append((role, zone, verb, prefix, found))
    print(f"{len(CELLS)} cells of role x zone x verb x prefix tested, {len(wrong)} wrong")
    assert len(CELLS) > 100
    assert not wrong


def test_a_role_of_one_store_is_nobody_in_the_other(people: People, settings: Settings) -> None:
    stranger = people.clients["lake", "engine"]
    credentials = stranger._request_signer._credentials  # type: ignore[attr-defined]
    client = _client(settings, "landing", credentials.access_key, credentials.secret_key)
    with pytest.raises(ClientError) as refused:
        client.list_objects_v2(Bucket=settings.bucket("landing"))
    assert refused.value.response["Error"]["Code"] in ("AccessDenied", "InvalidAccessKeyId")
