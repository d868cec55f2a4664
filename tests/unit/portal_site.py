"""The facilities' page as a real server over a lake of its own, and clerks who use it without a browser."""

from __future__ import annotations

import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn
from starlette.applications import Starlette

from khlang.lake.ledger import Ledger
from khlang.lake.secrets import location
from khlang.portal.app import make
from khlang.portal.uploads import Uploads
from khlang.settings import Settings
from lakes import Lake

from .landing_lake import dropped, empty_lake
from .zips import zipped

HEAD = "HOSPCODE|PID|HID|NAME|LNAME|HN|CID|TELEPHONE|SEX|BIRTH|D_UPDATE"
_number = iter(range(1, 10**6))


def zip_name(hospcode: str = "99001") -> str:
    """A name that no other test uses."""
    return f"F43_{hospcode}_{datetime(2026, 11, 1) + timedelta(seconds=next(_number)):%Y%m%d%H%M%S}.zip"


def zip_body(hospcode: str = "99001") -> bytes:
    """A zip that nobody has sent before."""
    row = f"{hospcode}|{next(_number):06d}|1|สมหญิง|ทดสอบ|1||0812345678|2|19800101|20261101083000"
    return zipped({"PERSON.txt": f"{HEAD}\r\n{row}\r\n".encode()})


@dataclass
class Clerk:
    """A facility's clerk: signs in, sends, looks."""

    base: str
    hospcode: str = ""
    session: requests.Session = field(default_factory=requests.Session)
    token: str = ""

    def __post_init__(self) -> None:
        self.session.trust_env = False

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.session.get(self.base + path, timeout=30, **more)

    def post(self, path: str, form: dict[str, str] | None = None, **more: Any) -> requests.Response:
        """A form of the page, with its token unless another is given."""
        sent = {"token": self.token, **(form or {})}
        return self.session.post(self.base + path, data=sent, timeout=30, allow_redirects=False, **more)

    def fresh_token(self, path: str = "/") -> str:
        found = re.search(r'name="token" value="([^"]+)"', self.get(path).text)
        self.token = found.group(1) if found else ""
        return self.token

    def sign_in(self, hospcode: str, passphrase: str) -> requests.Response:
        self.fresh_token("/sign-in")
        answer = self.post("/sign-in", {"code": hospcode, "passphrase": passphrase})
        if answer.status_code == 303:
            self.hospcode = hospcode
            self.fresh_token()
        return answer

    def begin(self, name: str, size: int) -> requests.Response:
        asked = {"name": name, "size": size}
        return self.session.post(
            f"{self.base}/uploads", json=asked, headers={"X-Token": self.token}, timeout=30
        )

    def offset(self, number: str) -> requests.Response:
        return self.session.head(f"{self.base}/uploads/{number}", timeout=30)

    def patch(self, number: str, offset: int | str, body: Any) -> requests.Response:
        headers = {"X-Token": self.token, "Upload-Offset": str(offset)}
        return self.session.patch(f"{self.base}/uploads/{number}", data=body, headers=headers, timeout=30)

    def send(self, name: str, body: bytes) -> str:
        """A whole zip; the number of its upload."""
        number: str = self.begin(name, len(body)).json()["id"]
        assert self.patch(number, 0, body).status_code == 204
        return number

    def receipt(self, number: str, seconds: float = 90) -> str:
        """The receipt number of an upload, when it has one."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            answer = self.get(f"/uploads/{number}", allow_redirects=False)
            if answer.status_code == 303:
                return answer.headers["Location"].rpartition("/")[2]
            time.sleep(0.1)
        raise AssertionError(f"no receipt: {answer.status_code} {answer.text[-500:]}")


@dataclass
class Site:
    """The page over one lake; it may be stopped and started again."""

    settings: Settings
    ledger: Ledger
    app: Starlette | None = None
    server: uvicorn.Server | None = None
    port: int = 0

    def start(self) -> None:
        self.app = make(self.settings)
        self.server = uvicorn.Server(
            uvicorn.Config(
                self.app, port=self.port, log_level="warning", access_log=False, timeout_graceful_shutdown=1
            )
        )
        self._thread = threading.Thread(target=self.server.run, daemon=True)
        self._thread.start()
        while not self.server.started:
            assert self._thread.is_alive(), "the page did not start"
            time.sleep(0.02)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        assert self.server is not None
        self.server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()

    def restart(self) -> None:
        self.stop()
        self.start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def uploads(self) -> Uploads:
        return Uploads(self.settings)

    def clerk(self, hospcode: str = "") -> Clerk:
        """A clerk, signed in when a facility is named."""
        clerk = Clerk(self.base)
        if hospcode:
            assert clerk.sign_in(hospcode, self.ledger.issue_pass(hospcode)).status_code == 303
        return clerk


@contextmanager
def own_lake(stores: Lake, home: Path) -> Iterator[Settings]:
    """A lake with a home of its own: its uploads are nobody else's."""
    mark = f"t{secrets.token_hex(4)}"
    settings = empty_lake(stores.settings, mark)
    home.mkdir()
    shutil.copy(location(stores.settings), home / "secrets.json")
    keys = f"file:{stores.home / 'keys' / f'{mark}.json'}"
    yield settings.model_copy(update={"home": home, "key_store": keys})
    dropped(settings)


@pytest.fixture(scope="module")
def site(stores: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The page, running, for the tests of one module."""
    with (
        own_lake(stores, tmp_path_factory.mktemp("portal") / "home") as settings,
        Ledger.open(settings) as ledger,
    ):
        opened = Site(settings, ledger)
        opened.start()
        yield opened
        opened.stop()


@pytest.fixture(scope="module")
def first(site: Site) -> Clerk:
    """A clerk who is signed in."""
    return site.clerk("99001")


@pytest.fixture(scope="module")
def second(site: Site) -> Clerk:
    """One of another facility."""
    return site.clerk("99002")
