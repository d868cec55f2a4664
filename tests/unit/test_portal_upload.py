"""Bytes on their way into landing: offsets, limits, tokens, lost lines, restarts; another facility sees nothing."""

from __future__ import annotations

import http.client
import io
import time
from collections.abc import Iterator

import pytest

from khlang.portal.uploads import Refused

from .portal_site import Clerk, Site, first, second, site, zip_body, zip_name

__all__ = ["first", "second", "site"]
pytestmark = pytest.mark.stack


@pytest.fixture(autouse=True)
def tidied(site: Site) -> Iterator[None]:
    """What a test leaves unfinished does not count against the next one."""
    yield
    for upload in site.uploads.all():
        if upload.state == "coming":
            site.uploads.drop(upload)


def kept(site: Site, number: str, hospcode: str = "99001") -> bytes:
    """What landing holds of an upload."""
    return (site.uploads.folder / hospcode / number).read_bytes()


def test_bytes_are_appended_at_the_offset_and_anywhere_else_they_are_refused(
    site: Site, first: Clerk
) -> None:
    number = first.begin(zip_name(), 10).json()["id"]
    assert first.offset(number).headers["Upload-Offset"] == "0"
    answer = first.patch(number, 0, b"01234")
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, "5")
    for wrong in (0, 4, 6, "", "-1", "five"):
        assert first.patch(number, wrong, b"xxx").status_code == 409
    assert kept(site, number) == b"01234"
    head = first.offset(number)
    assert (head.headers["Upload-Offset"], head.headers["Upload-Length"]) == ("5", "10")


def test_more_bytes_than_were_told_are_refused_and_not_acknowledged(site: Site, first: Clerk) -> None:
    number = first.begin(zip_name(), 10).json()["id"]
    assert first.patch(number, 0, b"0" * 11).status_code == 413
    assert first.offset(number).headers["Upload-Offset"] == "0"


def test_files_of_an_upload_are_their_owners_only_and_never_named_as_the_clerk_named_them(
    site: Site, first: Clerk
) -> None:
    for name in ("../../../escape.zip", "1101700203451.zip", "a/b\\c.zip", "ก" * 200 + ".zip"):
        number = first.begin(name, 10).json()["id"]
        assert site.uploads.find("99001", number).name == name  # type: ignore[union-attr]
        for path in site.uploads.folder.rglob("*"):
            assert path.name in ("lock", "99001", "99002", number, f"{number}.json")
            assert path.stat().st_mode & 0o077 == 0 or path.name == "lock"
        site.uploads.drop(site.uploads.find("99001", number))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "size", "status", "why"),
    [
        ("a.zip", 0, 400, "empty"), ("a.zip", -5, 400, "empty"), ("", 5, 400, "empty"), ("a\0.zip", 5, 400, "empty"),
        ("n" * 300, 5, 400, "empty"), ("a.zip", 1 << 50, 413, "large"), ("a.zip", "many", 400, "empty"),
    ],
)  # fmt: skip
def test_what_can_not_be_taken_is_refused_with_its_reason(
    first: Clerk, name: str, size: int, status: int, why: str
) -> None:
    answer = first.begin(name, size)
    assert (answer.status_code, answer.json()) == (status, {"refused": why})


def test_a_facility_has_a_few_uploads_open_and_another_one_its_own(
    site: Site, first: Clerk, second: Clerk
) -> None:
    open_now = [first.begin(zip_name(), 10).json()["id"] for _ in range(site.settings.upload_open)]
    assert first.begin(zip_name(), 10).json() == {"refused": "many"}
    assert second.begin(zip_name("99002"), 10).status_code == 201
    token = {"X-Token": first.token}
    assert first.session.delete(f"{first.base}/uploads/{open_now[0]}", headers=token).status_code == 204
    assert first.begin(zip_name(), 10).status_code == 201


def test_a_full_disk_is_told_before_it_is_full(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Free", (), {"free": 1 << 30})())
    with pytest.raises(Refused) as refused:
        site.uploads.begin("99001", zip_name(), 10)
    assert (refused.value.reason, refused.value.status) == ("full", 507)


def test_nothing_changes_without_the_token_of_the_session(site: Site, first: Clerk, second: Clerk) -> None:
    number = first.begin(zip_name(), 10).json()["id"]
    other = Clerk(site.base, session=first.session)
    for token in ("", "guess", second.token):
        other.token = token
        assert other.begin(zip_name(), 10).json() == {"refused": "token"}
        assert other.patch(number, 0, b"x").json() == {"refused": "token"}
        assert (
            other.session.delete(f"{site.base}/uploads/{number}", headers={"X-Token": token}).status_code
            == 403
        )
        assert other.post(f"/uploads/{number}/cancel").status_code == 403
        assert other.post("/sign-out").status_code == 403
        form = {"zip": (zip_name(), zip_body())}
        assert other.post("/send", files=form).status_code == 403
    assert first.offset(number).headers["Upload-Offset"] == "0"
    assert len(site.uploads.of("99001")) - sum(each.done for each in site.uploads.of("99001")) == 1
    clerk = site.clerk()
    assert clerk.post("/sign-in", {"code": "99001", "passphrase": "x"}).status_code == 403
    assert first.get("/", allow_redirects=False).status_code == 200, "still signed in"


def test_another_facilitys_upload_is_as_unknown_as_one_that_never_was(first: Clerk, second: Clerk) -> None:
    number = first.begin(zip_name(), 10).json()["id"]
    for asked in (number, "0" * 32, "..%2f99001%2f" + number, "../99001/" + number):
        assert second.offset(asked).status_code == 404
        assert second.patch(asked, 0, b"x").status_code == 404
        assert second.get(f"/uploads/{asked}").status_code == 404
        deleted = second.session.delete(f"{second.base}/uploads/{asked}", headers={"X-Token": second.token})
        assert deleted.status_code == 404
    assert second.get(f"/uploads/{number}").content == second.get("/uploads/" + "0" * 32).content
    assert first.offset(number).status_code == 200


def test_what_came_before_the_line_was_lost_is_kept_and_the_rest_carried_on(site: Site, first: Clerk) -> None:
    body = bytes(range(256)) * 4096
    number = first.begin(zip_name(), len(body)).json()["id"]
    connection = http.client.HTTPConnection("127.0.0.1", site.port)
    connection.putrequest("PATCH", f"/uploads/{number}")
    cookies = "; ".join(f"{each.name}={each.value}" for each in first.session.cookies)
    headers = {
        "Cookie": cookies,
        "X-Token": first.token,
        "Upload-Offset": "0",
        "Content-Length": str(len(body)),
    }
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(body[: len(body) // 2])
    time.sleep(0.3)
    connection.close()
    came = _settled(first, number)
    assert 0 < came <= len(body) // 2 and kept(site, number)[:came] == body[:came]
    assert first.patch(number, came, body[came:-1]).status_code == 204
    assert kept(site, number) == body[:-1]


def _settled(clerk: Clerk, number: str) -> int:
    """The offset when it moves no more."""
    at = -1
    for _ in range(100):
        before, at = at, int(clerk.offset(number).headers["Upload-Offset"])
        if at == before > 0:
            return at
        time.sleep(0.05)
    return at


def test_a_newer_request_takes_the_place_of_one_whose_line_is_dead(site: Site, first: Clerk) -> None:
    number = first.begin(zip_name(), 10).json()["id"]
    dead = http.client.HTTPConnection("127.0.0.1", site.port)
    dead.putrequest("PATCH", f"/uploads/{number}")
    cookies = "; ".join(f"{each.name}={each.value}" for each in first.session.cookies)
    headers = {"Cookie": cookies, "X-Token": first.token, "Upload-Offset": "0", "Content-Length": "10"}
    for name, value in headers.items():
        dead.putheader(name, value)
    dead.endheaders()
    dead.send(b"01234")
    time.sleep(0.2)
    answer = first.patch(number, 0, b"xx")
    assert answer.status_code == 409, "what the older one brought is acknowledged first"
    assert first.offset(number).headers["Upload-Offset"] == "5"
    assert first.patch(number, 5, b"5678").status_code == 204
    assert kept(site, number) == b"012345678"


def test_a_plain_form_works_without_scripts_and_a_broken_one_leaves_nothing(site: Site, first: Clerk) -> None:
    name, body = zip_name(), zip_body()
    answer = first.post("/send", files={"zip": (name, body)})
    assert answer.status_code == 303
    receipt = first.receipt(answer.headers["Location"].rpartition("/")[2])
    assert site.ledger.delivery(receipt).size == len(body) and site.ledger.delivery(receipt).name == name
    before = {each.id for each in site.uploads.of("99001")}
    kind = {"Content-Type": "multipart/form-data; boundary=XX"}
    head = f'--XX\r\nContent-Disposition: form-data; name="token"\r\n\r\n{first.token}\r\n--XX\r\n'
    file = 'Content-Disposition: form-data; name="zip"; filename="a.zip"\r\n\r\nPK'
    for cut in (
        head + file,
        head + file + "\r\n--XX",
        "nonsense",
        head.replace("\r\n--XX\r\n", "\r\n--XX--\r\n"),
    ):
        sent = first.session.post(f"{site.base}/send", data=cut.encode(), headers=kind)
        assert sent.status_code == 400, cut
    empty = first.post("/send", files={"zip": ("a.zip", b"")})
    assert empty.status_code == 400
    assert {each.id for each in site.uploads.of("99001")} == before


def test_a_file_before_the_token_is_not_even_begun(site: Site, first: Clerk) -> None:
    parts = (("zip", ("a.zip", io.BytesIO(b"x" * 100))), ("token", (None, first.token)))
    sent = first.session.post(f"{site.base}/send", files=parts)
    assert sent.status_code == 403
    assert not [each for each in site.uploads.of("99001") if each.name == "a.zip"]
