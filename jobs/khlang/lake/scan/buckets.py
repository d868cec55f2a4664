"""The lake's objects, read through S3: name, metadata and bytes, Parquet decoded."""

from __future__ import annotations

import json
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, BinaryIO, cast

from khlang.lake.scan.members import IN_MEMORY, Walk
from khlang.lake.scan.report import Source
from khlang.lake.stores import BUCKETS, boto
from khlang.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def scan_buckets(walk: Walk, settings: Settings) -> None:
    """Search every object of the lake's zones."""
    client = boto(settings, "lake")
    for zone in BUCKETS["lake"]:
        bucket = settings.bucket(zone)
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", []):
                _scan(walk, client, bucket, entry["Key"])


def _scan(walk: Walk, client: S3Client, bucket: str, key: str) -> None:
    """One object; one that is gone by now (compacted away) is no leak."""
    where = f"s3://{bucket}/{key}"
    walk.report.name(f"s3://{bucket}", key)
    try:
        answer = client.get_object(Bucket=bucket, Key=key)
    except client.exceptions.NoSuchKey:
        return
    told = json.dumps([answer["Metadata"], answer.get("ContentType", "")], ensure_ascii=False)
    walk.report.take(Source(f"{where} (its metadata)", [told.encode()]))
    with SpooledTemporaryFile(max_size=IN_MEMORY) as kept:
        for piece in answer["Body"].iter_chunks(1 << 20):
            kept.write(piece)
        kept.seek(0)
        walk.file(where, cast(BinaryIO, kept))
