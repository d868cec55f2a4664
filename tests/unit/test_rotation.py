"""Key-encryption keys replaced in a running lake: killed in the middle all opens; a retired key opens nothing."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from khlang.errors import PrivacyError, SettingsError, StoreError
from khlang.lake import rotation
from khlang.lake.keys import KeyStore
from khlang.lake.ledger import Delivery, Ledger, Wrapped
from khlang.lake.names import NameBooks
from khlang.lake.rotation import GRACE, retire, rotate
from khlang.lake.sealing import new_key, open_key
from khlang.lake.stores import boto
from khlang.lake.vault import Vault
from khlang.settings import PROJECT, Settings
from lakes import Lake

from .deliveries import received
from .landing_lake import dropped, empty_lake
from .registered_people import deliver_people

pytestmark = pytest.mark.stack
MANY = 3000


@pytest.fixture
def lake(stores: Lake) -> Iterator[Settings]:
    """A lake whose keys no other test rotates."""
    settings = empty_lake(stores.settings, f"r{secrets.token_hex(4)}")
    yield settings
    dropped(settings)


def _later() -> datetime:
    return datetime.now(UTC) + GRACE + timedelta(seconds=5)


def _fill(settings: Settings, count: int) -> list[Delivery]:
    """Deliveries as the ledger records them, each with a data key of its own."""
    store = KeyStore.open(settings)
    with Ledger.open(settings) as ledger:
        like = received(ledger)
        arrivals = ledger.arrivals(count)
        made = [
            replace(
                like, receipt=f"R{n:07d}-KEYS0", arrival=n, place=f"p/{n}", **_key(store, f"R{n:07d}-KEYS0")
            )
            for n in arrivals
        ]
        ledger.receive(made)
        with ledger.engine.begin() as connection:  # the row that the others were made after
            connection.execute(
                text("UPDATE delivery SET wrapped_key = :w WHERE receipt = :r"),
                {"w": new_key(store, like.receipt).wrapped, "r": like.receipt},
            )
            connection.execute(
                text("UPDATE delivery SET state = 'withdrawn'")
            )  # nothing for the door to finish
    return made


def _key(store: KeyStore, receipt: str) -> dict[str, object]:
    key = new_key(store, receipt)
    return {"wrapped_key": key.wrapped, "key_version": key.version}


def _opened(settings: Settings, deliveries: list[Delivery]) -> list[bytes]:
    """Every data key as it can be opened now; raises when one can not."""
    store = KeyStore.open(settings)
    with Ledger.open(settings) as ledger:
        now = {one.receipt: one for one in ledger.deliveries([each.receipt for each in deliveries])}
    rows = [now[each.receipt] for each in deliveries]
    return [open_key(store, row.wrapped_key, row.key_version, row.receipt).material for row in rows]


def _under(settings: Settings, version: int) -> int:
    with Ledger.open(settings) as ledger:
        return ledger.wrapped_under(version)


def _command(settings: Settings, *words: str) -> subprocess.Popen[bytes]:
    """`khlang keys ...` over this lake, in a process of its own."""
    own = {
        "KHLANG_HOME": str(settings.root), "KHLANG_BASE_PORT": str(settings.base_port),
        "KHLANG_DATABASE_URL": settings.database_url, "KHLANG_BUCKET_PREFIX": settings.bucket_prefix,
        "KHLANG_KEY_STORE": settings.key_store, "PYTHONPATH": str(PROJECT / "jobs"),
    }  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KHLANG_")}
    return subprocess.Popen([sys.executable, "-m", "khlang", "keys", *words], env=kept | own, cwd=PROJECT)


def _kill_when(process: subprocess.Popen[bytes], half_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not half_done():
        assert process.poll() is None and time.monotonic() < deadline, "it ended before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL


def test_killed_in_the_middle_all_data_keys_open_and_the_next_run_completes(
    lake: Settings, tmp_path: Path
) -> None:
    deliveries = _fill(lake, MANY)
    before = _opened(lake, deliveries)
    with Ledger.open(lake) as ledger:
        _kill_when(_command(lake, "rotate", "vault"), lambda: ledger.wrapped_under(2) > 0)
    assert _under(lake, 1) > 0 and _under(lake, 2) > 0, "killed neither before nor after the work"
    assert _opened(lake, deliveries) == before
    during = deliver_people(lake, tmp_path, range(3))
    again = rotate(lake, "vault", "officer")
    assert (again.version, again.resumed) == (2, True) and 0 < again.rewrapped < MANY + 1
    assert _under(lake, 1) == 0 and KeyStore.open(lake).versions("vault") == (1, 2)
    assert _opened(lake, deliveries) == before
    Vault(lake).confirm(during)
    with Ledger.open(lake) as ledger:
        assert ledger.verify_audit() is None


def test_a_door_that_was_open_before_goes_on_and_reads_what_is_new(lake: Settings, tmp_path: Path) -> None:
    old_vault = Vault(lake)
    first = deliver_people(lake, tmp_path, range(3), day=1)
    rotate(lake, "vault", "officer")
    second = deliver_people(lake, tmp_path, range(3, 6), day=2)
    assert second.key_version == 2
    old_vault.confirm(second)
    with Ledger.open(lake) as ledger:
        old_vault.confirm(ledger.delivery(first.receipt))


def test_a_retired_key_opens_no_copy_of_the_ledger(lake: Settings, tmp_path: Path) -> None:
    dump = deliver_people(lake, tmp_path, range(3))
    rotate(lake, "vault", "officer")
    with pytest.raises(PrivacyError, match=r"key\.young"):
        retire(lake, "vault", 1, "officer")
    retire(lake, "vault", 1, "officer", _later)
    with pytest.raises(PrivacyError, match=r"key\.missing"):
        Vault(lake).confirm(dump)
    with Ledger.open(lake) as ledger:
        Vault(lake).confirm(ledger.delivery(dump.receipt))
    assert KeyStore.open(lake).versions("vault") == (2,)


def test_a_key_that_is_in_use_or_the_newest_is_not_retired(lake: Settings, tmp_path: Path) -> None:
    deliver_people(lake, tmp_path, range(3))
    with pytest.raises(PrivacyError, match=r"key\.newest"):
        retire(lake, "vault", 1, "officer", _later)
    for purpose in ("vault", "names"):
        KeyStore.open(lake).add(purpose)
        with pytest.raises(PrivacyError, match=rf"key\.used: 1 data.*keys rotate {purpose}"):
            retire(lake, purpose, 1, "officer", _later)
        assert KeyStore.open(lake).versions(purpose) == (1, 2)


def test_a_process_that_slept_can_not_record_a_data_key_under_a_retired_key(lake: Settings) -> None:
    _fill(lake, 1)
    rotate(lake, "vault", "officer")
    retire(lake, "vault", 1, "officer", _later)
    with Ledger.open(lake) as ledger, pytest.raises(DBAPIError, match=r"key\.retired"):
        received(ledger)


def test_a_delivery_that_is_being_recorded_is_waited_for(lake: Settings) -> None:
    _fill(lake, 1)
    rotate(lake, "vault", "officer")
    with Ledger.open(lake) as ledger, Ledger.open(lake) as other:
        with ledger.engine.connect() as recording:
            recording.execute(text("UPDATE delivery SET key_version = 1"))  # not committed yet
            with other.engine.connect() as retiring, pytest.raises(DBAPIError, match="lock timeout"):
                retiring.execute(text("SET lock_timeout = 300"))
                retiring.execute(text("SELECT pg_advisory_xact_lock(4305206)"))
            recording.commit()
        with pytest.raises(PrivacyError, match=r"key\.used"):
            retire(lake, "vault", 1, "officer", _later)


def test_a_retirement_that_was_cut_off_is_completed(lake: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    _fill(lake, 1)
    rotate(lake, "vault", "officer")

    def _dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as cut, pytest.raises(KeyboardInterrupt):
        cut.setattr(rotation.KeyStore, "remove", _dies)
        retire(lake, "vault", 1, "officer", _later)
    assert KeyStore.open(lake).versions("vault") == (1, 2)
    retire(lake, "vault", 1, "officer")
    assert KeyStore.open(lake).versions("vault") == (2,)


FRAGMENTS = 80


def _shelf(settings: Settings) -> dict[tuple[str, str], int | None]:
    books = NameBooks(settings)
    return {place: books.version(*place) for place in books.every()}


def test_name_books_killed_in_the_middle_are_all_read_and_the_next_run_completes(lake: Settings) -> None:
    books = NameBooks(lake)
    texts = {f"R{n:07d}-NAMES": secrets.token_bytes(300) for n in range(FRAGMENTS)}
    for receipt, body in texts.items():
        books.write("99001", receipt, body)
    watch = NameBooks(lake)
    process = _command(lake, "rotate", "names")
    _kill_when(process, lambda: watch.version("99001", "R0000010-NAMES") == 2)
    versions = list(_shelf(lake).values())
    assert set(versions) == {1, 2}, "killed neither before nor after the work"
    books.write("99001", "R9999999-NAMES", b"said meanwhile")
    done = rotate(lake, "names", "officer")
    assert done.resumed and done.version == 2 and 0 < done.rewrapped <= FRAGMENTS
    assert set(_shelf(lake).values()) == {2} and len(_shelf(lake)) == FRAGMENTS + 1
    retire(lake, "names", 1, "officer", _later)
    fresh = NameBooks(lake)
    assert {receipt: fresh._fragment("99001", receipt) for receipt in texts} == texts
    assert fresh._fragment("99001", "R9999999-NAMES") == b"said meanwhile"


def test_a_rewrapped_fragment_leaves_no_superseded_copy_and_never_undoes_another_writer(
    lake: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = NameBooks(lake)
    books.write("99001", "R1", b"before")
    KeyStore.open(lake).add("names")
    shelf = NameBooks(lake)
    client = boto(lake, "landing")
    get, others = client.get_object, iter([b"another wrote this"])

    def _overtaken(**place: object) -> object:
        found = get(**place)
        for body in others:
            NameBooks(lake).write("99001", "R1", body)
        return found

    monkeypatch.setattr(client, "get_object", _overtaken)
    shelf.rewrap("99001", "R1")
    monkeypatch.undo()
    assert NameBooks(lake)._fragment("99001", "R1") == b"another wrote this"
    books.write("99001", "R2", b"alone")
    assert NameBooks(lake).rewrap("99001", "R2") is (books._keys.key("names").version == 1)
    kept = client.list_object_versions(Bucket=lake.bucket("landing"), Prefix="_names/99001/R2")["Versions"]
    assert len(kept) == 1


def test_a_data_key_that_was_replaced_meanwhile_is_not_overwritten(lake: Settings) -> None:
    (made,) = _fill(lake, 1)
    with Ledger.open(lake) as ledger:
        assert ledger.rewrap([(Wrapped(made.receipt, b"as it was before an erasure", 1), b"anew", 2)]) == 0
        assert ledger.delivery(made.receipt).wrapped_key == made.wrapped_key
        assert ledger.rewrap([(Wrapped(made.receipt, made.wrapped_key, 1), b"anew", 2)]) == 1


@pytest.mark.parametrize("purpose", ["lake", "study-1"])
def test_only_key_encryption_keys_are_rotated_so(lake: Settings, purpose: str) -> None:
    with pytest.raises(SettingsError, match=r"key\.purpose"):
        rotate(lake, purpose, "officer")


def test_a_data_key_that_does_not_open_stops_the_rotation_and_is_named(lake: Settings) -> None:
    (made,) = _fill(lake, 1)
    with Ledger.open(lake) as ledger, ledger.engine.begin() as connection:
        connection.execute(
            text("UPDATE delivery SET wrapped_key = 'altered and long enough to be a key of 60 bytes....'")
        )
    with pytest.raises(StoreError, match=r"vault\.key") as stopped:
        rotate(lake, "vault", "officer")
    assert stopped.value.place.startswith("R") and made.receipt
