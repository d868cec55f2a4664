"""k of n custodians trace one pseudonym back: with fewer, late, twice or otherwise nobody does; nothing is kept."""

from __future__ import annotations

import os
import pty
import secrets
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import text

from khlang.errors import KhlangError, SettingsError
from khlang.lake import custody
from khlang.lake.custody import approve, ask, deal, unlock
from khlang.lake.keys import KeyStore
from khlang.lake.ledger import Ledger
from khlang.lake.traced import person_of
from khlang.settings import PROJECT, Settings
from lakes import Lake

from .landing_lake import dropped, empty_lake
from .registered_people import cid, deliver_people

pytestmark = pytest.mark.stack
PEOPLE = range(40)


@pytest.fixture(scope="module")
def lake(stores: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A lake with custody on and a delivery in landing."""
    settings = empty_lake(stores.settings, f"c{secrets.token_hex(4)}").model_copy(update={"custody": True})
    folder = tmp_path_factory.mktemp("people")
    deliver_people(settings, folder, PEOPLE)
    deliver_people(settings, folder, range(100, 103), day=2)
    yield settings
    dropped(settings)


@pytest.fixture
def shares(lake: Settings) -> list[str]:
    """Three shares, of which two are needed."""
    return deal(lake, 3, 2, "officer")


def _key(settings: Settings, number: int) -> str:
    """The pseudonym of an invented person."""
    return str(KeyStore.open(settings).pseudonymiser().of("person", pl.Series([cid(number)]))[0])


def _asked(settings: Settings, number: int = 7, minutes: int = 60) -> str:
    return ask(settings, _key(settings, number), "a drug is recalled", minutes, "officer").id


def _audit(settings: Settings, request: str) -> list[str]:
    with Ledger.open(settings) as ledger, ledger.engine.connect() as connection:
        assert ledger.verify_audit() is None
        rows = connection.execute(text("SELECT action, subject FROM audit ORDER BY id"))
        return [action for action, subject in rows if request in subject]


@pytest.mark.parametrize("two", [(0, 1), (2, 0), (1, 2)])
def test_any_two_of_three_custodians_open_a_request(
    lake: Settings, shares: list[str], two: tuple[int, int]
) -> None:
    request = _asked(lake)
    told = [approve(lake, request, shares[one], f"custodian {one}") for one in two]
    assert told == [(1, 2), (2, 2)]
    assert person_of(lake, unlock(lake, request, "officer").pseudonym) == cid(7)
    assert _audit(lake, request) == [
        "custody.asked",
        "custody.approved",
        "custody.approved",
        "custody.opened",
    ]


def test_every_person_of_landing_is_found_and_nobody_else(lake: Settings) -> None:
    assert [person_of(lake, _key(lake, number)) for number in (0, 39, 101)] == [cid(0), cid(39), cid(101)]
    assert person_of(lake, _key(lake, 99_999)) is None


def _refused(code: str, act: object, *words: object) -> KhlangError:
    with pytest.raises(KhlangError) as refused:
        act(*words)  # type: ignore[operator]
    assert refused.value.code == code and refused.value.next_step and cid(7) not in str(refused.value)
    return refused.value


def test_one_custodian_alone_opens_nothing_not_even_twice(lake: Settings, shares: list[str]) -> None:
    request = _asked(lake)
    approve(lake, request, shares[0], "first")
    _refused("custody.twice", approve, lake, request, shares[0], "first under another name")
    _refused("custody.few", unlock, lake, request, "officer")
    assert _audit(lake, request)[-1] == "custody.refused"


def test_without_enough_shares_the_secret_does_not_come_out_whatever_the_ledger_says(
    lake: Settings, shares: list[str]
) -> None:
    request = _asked(lake)
    approve(lake, request, shares[0], "first")
    with Ledger.open(lake) as ledger, ledger.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO custody_approval SELECT request, 2, sealed, approved_at FROM custody_approval"
                " WHERE request = :request"
            ),
            {"request": request},
        )
    _refused("custody.share", unlock, lake, request, "administrator of the database")
    with Ledger.open(lake) as ledger, ledger.engine.begin() as connection:
        connection.execute(text("DELETE FROM custody_approval WHERE custodian = 2"))
        connection.execute(text("UPDATE custody_deal SET threshold = 1"))
    _refused("custody.share", unlock, lake, request, "administrator of the database")


def test_an_approval_does_not_serve_another_request(lake: Settings, shares: list[str]) -> None:
    first, second = _asked(lake, 7), _asked(lake, 8)
    for number, share in enumerate(shares[:2]):
        approve(lake, first, share, f"custodian {number}")
    with Ledger.open(lake) as ledger, ledger.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO custody_approval SELECT :to, custodian, sealed, approved_at FROM custody_approval"
                 " WHERE request = :of"), {"to": second, "of": first},
        )  # fmt: skip
    _refused("custody.share", unlock, lake, second, "officer")


def test_an_approval_does_not_serve_another_person(lake: Settings, shares: list[str]) -> None:
    request = _asked(lake, 7)
    for share in shares[:2]:
        approve(lake, request, share, "custodian")
    with Ledger.open(lake) as ledger, ledger.engine.begin() as connection:
        connection.execute(
            text("UPDATE custody_request SET pseudonym = :other WHERE id = :request"),
            {"other": _key(lake, 8), "request": request},
        )
    _refused("custody.share", unlock, lake, request, "administrator of the database")


def test_a_request_ends_with_its_time(lake: Settings, shares: list[str]) -> None:
    request = _asked(lake, minutes=10)
    approve(lake, request, shares[0], "first")
    late = datetime.now(UTC) + timedelta(minutes=10, seconds=1)
    _refused("custody.late", approve, lake, request, shares[1], "second", lambda: late)
    approve(lake, request, shares[1], "second")
    _refused("custody.late", unlock, lake, request, "officer", lambda: late)


def test_a_request_is_opened_once_and_its_shares_are_gone(lake: Settings, shares: list[str]) -> None:
    request = _asked(lake)
    for share in shares[1:]:
        approve(lake, request, share, "custodian")
    unlock(lake, request, "officer")
    _refused("custody.opened", unlock, lake, request, "officer")
    _refused("custody.opened", approve, lake, request, shares[0], "custodian")
    with Ledger.open(lake) as ledger:
        assert ledger.approvals(request) == {}
    assert not (lake.root / "keys" / "custody" / f"{request}.key").exists()


def test_of_two_who_open_a_request_at_once_one_does(lake: Settings, shares: list[str]) -> None:
    request = _asked(lake)
    with Ledger.open(lake) as ledger:
        ledger.open_request("first", request, datetime.now(UTC))
        _refused("custody.opened", ledger.open_request, "second", request, datetime.now(UTC))
    assert len(shares) == 3


def test_shares_of_a_former_deal_approve_nothing(lake: Settings, shares: list[str]) -> None:
    before = _asked(lake)
    fresh = deal(lake, 3, 2, "officer")
    _refused("custody.dealt", approve, lake, before, shares[0], "custodian")
    request = _asked(lake)
    _refused("custody.share", approve, lake, request, shares[0], "custodian")
    approve(lake, request, fresh[0], "custodian")


@pytest.mark.parametrize("share", ["", "1", "9-00", "1-zz", "0-" + "00" * 16, "2-" + "00" * 16])
def test_what_is_no_share_is_refused_and_not_repeated(lake: Settings, shares: list[str], share: str) -> None:
    said = _refused("custody.share", approve, lake, _asked(lake), share, "somebody")
    assert "zz" not in str(said) and shares


def test_neither_the_ledger_nor_the_folder_keeps_a_share_or_an_identifier(
    lake: Settings, shares: list[str]
) -> None:
    request = _asked(lake)
    for share in shares[:2]:
        approve(lake, request, share, "custodian")
    person_of(lake, unlock(lake, request, "officer").pseudonym)
    raw = [bytes.fromhex("".join(share.split()).partition("-")[2]) for share in shares]
    wanted = [*raw, *(one.hex().encode() for one in raw), cid(7).encode()]
    with Ledger.open(lake) as ledger, ledger.engine.connect() as connection:
        tables = ("custody_deal", "custody_request", "custody_approval", "audit")
        kept = "".join(str(connection.execute(text(f"SELECT * FROM {name}")).fetchall()) for name in tables)
    files = [path.read_bytes() for path in (lake.root / "keys" / "custody").iterdir()]
    assert not [one for one in wanted if one in kept.encode() or any(one in body for body in files)]
    assert not [one for one in raw if repr(one)[2:-1] in kept]


def test_it_is_off_by_default() -> None:
    assert Settings().custody is False


@pytest.mark.parametrize("step", ["deal", "ask", "approve", "unlock"])
def test_no_step_works_while_it_is_off(lake: Settings, step: str) -> None:
    off = lake.model_copy(update={"custody": False})
    words = {
        "deal": (3, 2, "a"),
        "ask": ("p1.x", "why", 5, "a"),
        "approve": ("C1", "1-00", "a"),
        "unlock": ("C1", "a"),
    }
    _refused("custody.off", getattr(custody, step), off, *words[step])


@pytest.mark.parametrize("custodians, threshold", [(1, 1), (3, 1), (2, 3), (21, 2)])
def test_one_alone_is_no_custody(lake: Settings, custodians: int, threshold: int) -> None:
    with pytest.raises(SettingsError, match=r"custody\.threshold"):
        deal(lake, custodians, threshold, "officer")


def test_a_citizen_id_in_the_place_of_a_pseudonym_is_refused_and_not_repeated(lake: Settings) -> None:
    with pytest.raises(SettingsError, match=r"custody\.pseudonym"):
        person_of(lake, cid(7))
    _refused("custody.pseudonym", person_of, lake, cid(7))


def _environment(settings: Settings) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KHLANG_")}
    return kept | {
        "KHLANG_HOME": str(settings.root), "KHLANG_BASE_PORT": str(settings.base_port), "KHLANG_CUSTODY": "true",
        "KHLANG_DATABASE_URL": settings.database_url, "KHLANG_BUCKET_PREFIX": settings.bucket_prefix,
        "KHLANG_KEY_STORE": settings.key_store, "PYTHONPATH": str(PROJECT / "jobs"),
    }  # fmt: skip


def _command(
    settings: Settings, *words: str, typed: str = "", terminal: bool = False
) -> tuple[int, str, str]:
    """`khlang custody ...`: exit code, what stood on its output (a terminal or a pipe), and on the error stream."""
    ours, its = pty.openpty() if terminal else os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "khlang", "custody", *words], env=_environment(settings), cwd=PROJECT,
        stdin=subprocess.PIPE, stdout=its, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    _, errors = process.communicate(typed, timeout=120)
    os.set_blocking(ours, False)
    shown = b""
    os.close(its)
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:
        pass
    os.close(ours)
    return process.returncode, shown.decode().replace("\r", ""), errors


def test_by_its_commands_the_identifier_stands_on_the_terminal_once_and_nowhere_else(lake: Settings) -> None:
    piped = _command(lake, "deal")
    assert piped[0] == 4 and not piped[1] and "custody.terminal" in piped[2]
    code, shown, _ = _command(lake, "deal", "--custodians", "3", "--threshold", "2", terminal=True)
    shares = [line for line in shown.splitlines() if line[1:2] == "-"]
    assert code == 0 and len(shares) == 3
    code, shown, _ = _command(lake, "ask", _key(lake, 7), "--purpose", "a drug is recalled")
    request = shown.partition(":")[0]
    assert code == 0 and _command(lake, "approve", request, typed=shares[2])[:2] == (
        0,
        f"{request}: 1 of 2\n",
    )
    few = _command(lake, "open", request, terminal=True)
    assert few[0] == 4 and not few[1] and "custody.few" in few[2]
    approve(lake, request, shares[0], "custodian")
    assert _command(lake, "open", request)[0] == 4  # no terminal: refused before the request is used up
    assert _command(lake, "open", request, terminal=True) == (0, f"{cid(7)}\n", "")
    again = _command(lake, "open", request, terminal=True)
    assert again[0] == 4 and cid(7) not in again[1] + again[2]
    assert _audit(lake, request)[-2:] == ["custody.opened", "custody.shown"]


def test_a_stolen_request_key_of_another_machine_is_not_enough(
    lake: Settings, shares: list[str], tmp_path: Path
) -> None:
    request = _asked(lake)
    for share in shares[:2]:
        approve(lake, request, share, "custodian")
    elsewhere = lake.model_copy(update={"home": tmp_path})
    _refused("custody.elsewhere", unlock, elsewhere, request, "officer")
