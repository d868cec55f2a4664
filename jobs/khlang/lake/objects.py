"""Single objects of a store, read and put by botocore's lower layer: a third of the cost of a client's call."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, HTTPClientError
from botocore.httpsession import URLLib3Session

from khlang.errors import StoreError
from khlang.lake.stores import Which, credentials, endpoint, is_local
from khlang.settings import Settings

GONE = frozenset({"404", "NoSuchKey", "NotFound"})
CHANGED = frozenset({"412", "PreconditionFailed"})
_SPAN = frozenset({"416", "InvalidRange"})
_CONFLICT = frozenset({"ConditionalRequestConflict", "OperationAborted", "RequestTimeout"})
_PAUSES = (0.2, 1.0, 3.0)
_CODE = re.compile(rb"<Code>([A-Za-z0-9]+)</Code>")
_CONNECTIONS = 16
_EMPTY = hashlib.sha256(b"").hexdigest()


class Refused(Exception):
    """The store's own word for what it refused."""

    def __init__(self, code: str) -> None:
        """Such as PreconditionFailed, or the HTTP status where it said nothing."""
        self.code = code
        super().__init__(code)


class _Auth(S3SigV4Auth):
    """Signs the body by the SHA-256 that was taken of it already."""

    def payload(self, request: AWSRequest) -> str:
        """Hex digest of the body."""
        return request.context.get("sha256") or _EMPTY


class Objects:
    """GET and PUT of whole objects and ranges, signed (body included) and asked again when a store falters.

    A client of boto3 spends three quarters of a small request on looking up what the request looks like.
    """

    def __init__(self, place: str, access: tuple[str, str], region: str) -> None:
        """A store's URL, its access key and secret key; threads may share it, processes may not."""
        self._place = place
        self._auth = _Auth(Credentials(*access), "s3", region)
        direct: Mapping[str, str] | None = {} if is_local(place) else None
        patience: Any = (10, 120)  # seconds to connect, to answer
        self._session = URLLib3Session(proxies=direct, timeout=patience, max_pool_connections=_CONNECTIONS)

    @staticmethod
    def of(settings: Settings, which: Which) -> Objects:
        """The one of this process; a forked process gets its own."""
        return _made(settings, which, os.getpid())

    def get(
        self, bucket: str, key: str, span: tuple[int, int] | None = None, etag: str | None = None
    ) -> bytes:
        """An object, or exactly (start, length) of it; a short answer is asked for again. `etag` pins one content.

        Raises StoreError store.changed when the object is gone or is not that content any more, store.read
        when the store fails.
        """
        headers = {"If-Match": etag} if etag else {}
        if span is not None:
            headers["Range"] = f"bytes={span[0]}-{span[0] + span[1] - 1}"
        try:
            for answer in self._answers("GET", bucket, key, headers):
                if answer is not None and (span is None or len(answer.content) == span[1]):
                    return bytes(answer.content)
        except Refused as refused:
            if refused.code in CHANGED | GONE | _SPAN:
                raise StoreError("store.changed", "an object changed or went while it was read") from None
        raise StoreError("store.read", "an object could not be read", next_step="khlang status")

    def put(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Put a whole object; the store refuses a body that differs from its checksum.

        Raises Refused, or StoreError store.write when the store does not answer. A put whose answer was lost
        is sent again: under If-None-Match it is then refused with PreconditionFailed, and stands.
        """
        if not any(answer is not None for answer in self._answers("PUT", bucket, key, headers, body)):
            raise StoreError("store.write", "the store does not answer", next_step="khlang status")

    def _answers(
        self, method: str, bucket: str, key: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Iterator[AWSResponse | None]:
        """What the store says, each time it is asked: None when it did not answer or was in trouble itself."""
        for pause in (0.0, *_PAUSES):
            time.sleep(pause)
            yield self._answer(method, bucket, key, headers, body)

    def _answer(
        self, method: str, bucket: str, key: str, headers: Mapping[str, str], body: bytes
    ) -> AWSResponse | None:
        url = f"{self._place}/{bucket}/{quote(key, safe='/~')}"
        request = AWSRequest(method, url, dict(headers), body or None)
        if body:
            summed = hashlib.sha256(body)
            request.context["sha256"] = summed.hexdigest()
            request.headers["x-amz-checksum-sha256"] = base64.b64encode(summed.digest()).decode()
        self._auth.add_auth(request)
        try:
            answer = self._session.send(request.prepare())
            content = answer.content
        except (BotoCoreError, HTTPClientError, OSError):
            return None  # dropped, perhaps in the middle of the answer
        if answer.status_code < 300:
            return answer
        named = _CODE.search(content)
        code = named[1].decode() if named else str(answer.status_code)
        if answer.status_code >= 500 or answer.status_code == 429 or code in _CONFLICT:
            return None
        raise Refused(code)


@lru_cache(maxsize=8)
def _made(settings: Settings, which: Which, process: int) -> Objects:
    return Objects(endpoint(settings, which), credentials(settings, which), settings.region)
