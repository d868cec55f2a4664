"""The two S3 stores, a process and a folder each: lake (bronze, silver, gold), landing (inbox, landing)."""

from __future__ import annotations

import contextlib
import hmac
import json
import socket
import sys
from http.client import HTTPConnection
from pathlib import Path

from khlang.lake.stores import BUCKETS, Which, boto, credentials, endpoint
from khlang.settings import Settings
from khlang.stack.service import Service
from khlang.stack.surroundings import write_private

VOLUMES = 400
"""Volumes of at most 1 GiB that a store may open: each bucket takes seven at its first write."""


def service(settings: Settings, which: Which) -> Service:
    """The store as a service of the stack."""
    folder = settings.root / which
    return Service(
        name=f"{which}-store",
        group="stores",
        port=settings.port(f"{which}_s3"),
        command=_command(settings, which, folder),
        healthy=lambda: is_healthy(settings, which),
        folder=folder,
        prepare=lambda: _prepare(settings, which, folder),
        ready=lambda: create_buckets(settings, which),
        env=_tokens(settings, which),
        url=endpoint(settings, which),
        closed=lambda: _takes_no_write(settings, which),
        log=folder / "landing-store.log" if which == "landing" else None,  # names of zips may be names
    )


def is_healthy(settings: Settings, which: Which) -> bool:
    """Has the volume server reported (else a PUT fails), and does S3 let our credentials in?"""
    with contextlib.suppress(Exception):
        if _volumes_free(settings, which):
            boto(settings, which).list_buckets()
            return True
    return False


def _volumes_free(settings: Settings, which: Which) -> int:
    address = f"127.0.0.1:{settings.port(f'{which}_master')}"
    connection = HTTPConnection(address, timeout=5)
    with contextlib.closing(connection):
        connection.request("GET", "/dir/status")
        topology = json.load(connection.getresponse())["Topology"]
    return int(topology["Max"])


def _takes_no_write(settings: Settings, which: Which) -> bool:
    """Told to stop, the filer closes its ports first: what is not written by then is not acknowledged either.

    It then waits 15 s for streams between its own parts, which never end (weed 4.48 has no flag for that),
    before the others close. Objects and their entries are in files by then (a kill at any time keeps what
    was acknowledged); only its log of changes for subscribers elsewhere may lose its last minute: there are none.
    """
    ports = (settings.port(f"{which}_filer"), settings.port(f"{which}_filer") + 10_000)
    return not any(_listens(port) for port in ports)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def create_buckets(settings: Settings, which: Which) -> None:
    """Make the store's buckets; landing with versions and object lock, the lake's with neither."""
    client = boto(settings, which)
    present = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    for zone in BUCKETS[which]:
        name = settings.bucket(zone)
        if name not in present:
            client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=zone == "landing")
        if zone == "landing":
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def _tokens(settings: Settings, which: Which) -> dict[str, str]:
    """Keys of the tokens between the store's own parts: their ports refuse whoever has none."""
    _, secret = credentials(settings, which)
    variables = (
        "JWT_SIGNING_KEY",
        "JWT_SIGNING_READ_KEY",
        "JWT_FILER_SIGNING_KEY",
        "JWT_FILER_SIGNING_READ_KEY",
    )
    return {
        f"WEED_{name}": hmac.new(secret.encode(), name.encode(), "sha256").hexdigest() for name in variables
    } | {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "3"}


def _command(settings: Settings, which: Which, folder: Path) -> tuple[str, ...]:
    port = {part: settings.port(f"{which}_{part}") for part in ("s3", "master", "volume", "filer")}
    ports = [f"-{part}.port={number}" for part, number in port.items()]
    grpc = [f"-{part}.port.grpc={number + 10000}" for part, number in port.items()]
    return (
        str(Path(sys.executable).with_name("weed")),
        "-logtostderr=true",
        "server",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-s3",
        *ports,
        *grpc,
        f"-metricsPort={settings.port(f'{which}_metrics')}",  # requests and bytes per bucket, for Prometheus
        "-metricsIp=127.0.0.1",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.iam.readOnly=false",
        f"-s3.config={folder / 's3.json'}",
        "-s3.localSocket=s3.sock",
        "-filer.localSocket=filer.sock",
        "-master.telemetry=false",
        "-master.electionTimeout=1s",
        "-master.volumeSizeLimitMB=1024",
        f"-volume.max={VOLUMES}",
        "-volume.preStopSeconds=0",
    )


def _prepare(settings: Settings, which: Which, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    access, secret = credentials(settings, which)
    identity = {
        "name": f"khlang-{which}",
        "credentials": [{"accessKey": access, "secretKey": secret}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    write_private(folder / "s3.json", json.dumps({"identities": [identity]}))
