"""Single requests to a store that falters: asked again, never taken for an answer, refusals told apart."""

from __future__ import annotations

import hashlib
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from khlang.errors import StoreError
from khlang.lake import objects
from khlang.lake.objects import Objects, Refused

BODY = bytes(range(256)) * 20
Answer = Callable[[BaseHTTPRequestHandler], None]


def said(status: int, body: bytes = b"", claimed: int | None = None) -> Answer:
    """An answer; `claimed` is the length it promises."""

    def _answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body) if claimed is None else claimed))
        request.end_headers()
        request.wfile.write(body)
        request.close_connection = claimed is not None

    return _answer


def dropped(request: BaseHTTPRequestHandler) -> None:
    """The connection is lost before any answer."""
    request.close_connection = True


def refusal(status: int, code: str) -> Answer:
    return said(status, f"<Error><Code>{code}</Code></Error>".encode())


class Store(ThreadingHTTPServer):
    """A store that gives the answers it was told to, in turn; `asked` is what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                store.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                store.answers.pop(0)(self)

            do_PUT = do_GET

            def log_message(self, *_: object) -> None:
                """Silent."""

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(objects, "_PAUSES", (0.0, 0.0, 0.0))
    with Store() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def client(store: Store) -> Objects:
    return Objects(f"http://127.0.0.1:{store.server_port}", ("access", "secret"), "us-east-1")


@pytest.mark.parametrize(
    "trouble", [dropped, said(500), said(503), said(200, BODY[:100], len(BODY)), said(206, BODY[:100])]
)
def test_an_answer_that_is_missing_cut_or_an_apology_is_asked_for_again(
    store: Store, client: Objects, trouble: Answer
) -> None:
    store.answers = [trouble, said(206, BODY)]
    assert client.get("landing", "a/b", (0, len(BODY)), '"tag"') == BODY
    (path, headers, _), _again = store.asked
    assert (path, headers["range"], headers["if-match"]) == (
        "/landing/a/b",
        f"bytes=0-{len(BODY) - 1}",
        '"tag"',
    )


def test_a_store_that_stays_in_trouble_is_a_failure_with_a_name(store: Store, client: Objects) -> None:
    store.answers = [said(500), dropped] * 4
    with pytest.raises(StoreError, match=r"store\.read"):
        client.get("landing", "a")
    with pytest.raises(StoreError, match=r"store\.write"):
        client.put("landing", "a", BODY, {})


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (refusal(404, "NoSuchKey"), "store.changed"),
        (refusal(412, "PreconditionFailed"), "store.changed"),
        (refusal(416, "InvalidRange"), "store.changed"),
        (said(412), "store.changed"),
        (refusal(403, "AccessDenied"), "store.read"),
        (refusal(404, "NoSuchBucket"), "store.read"),
    ],
)
def test_an_object_that_went_is_told_apart_from_a_store_that_refuses(
    store: Store, client: Objects, answer: Answer, code: str
) -> None:
    store.answers = [answer]
    with pytest.raises(StoreError) as failure:
        client.get("landing", "a", (0, 10))
    assert failure.value.code == code and len(store.asked) == 1


def test_a_put_carries_the_sum_of_its_body_and_its_conditions_are_signed(
    store: Store, client: Objects
) -> None:
    store.answers = [said(200)]
    client.put("landing", "ก/b c", BODY, {"If-None-Match": "*", "x-amz-object-lock-mode": "COMPLIANCE"})
    ((path, headers, body),) = store.asked
    assert body == BODY and path == "/landing/%E0%B8%81/b%20c"
    assert headers["x-amz-content-sha256"] == hashlib.sha256(BODY).hexdigest()
    assert headers["x-amz-checksum-sha256"] == b64encode(hashlib.sha256(BODY).digest()).decode()
    signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert {
        "if-none-match",
        "x-amz-checksum-sha256",
        "x-amz-object-lock-mode",
        "x-amz-content-sha256",
    } <= set(signed)


def test_a_put_whose_answer_was_lost_is_sent_again_and_its_refusal_is_handed_over(
    store: Store, client: Objects
) -> None:
    store.answers = [dropped, refusal(412, "PreconditionFailed")]
    with pytest.raises(Refused) as refused:
        client.put("landing", "a", BODY, {"If-None-Match": "*"})
    assert refused.value.code == "PreconditionFailed" and len(store.asked) == 2
