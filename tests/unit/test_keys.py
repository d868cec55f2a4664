"""The key store: made once, 0600, refused when any key is unfit."""

from __future__ import annotations

import json
import pickle
import secrets
import time
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from khlang.commands.jobs import JOBS, run_job
from khlang.errors import PrivacyError, SettingsError
from khlang.lake import keys
from khlang.lake.keys import KeyStore, weakness
from khlang.portal.app import make
from khlang.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A lake that has no state yet."""
    return Settings(home=tmp_path, key_store="")


def _file(settings: Settings) -> Path:
    return settings.root / "keys" / "keys.json"


def _change(settings: Settings, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Alter the stored keys."""
    stored = json.loads(_file(settings).read_text())
    change(stored["keys"])
    _file(settings).write_text(json.dumps(stored))


def test_a_new_store_is_0600_in_a_closed_folder_and_has_a_key_for_each_purpose(settings: Settings) -> None:
    store = keys.create(settings)
    assert _file(settings).stat().st_mode & 0o777 == 0o600
    assert _file(settings).parent.stat().st_mode & 0o077 == 0
    assert {key.purpose for key in store.listed()} == {"lake", "vault", "names"}
    assert len({key.material for key in store.listed()}) == 3


def test_making_it_again_keeps_the_keys(settings: Settings) -> None:
    first = keys.create(settings).key("lake").material
    assert keys.create(settings).key("lake").material == first


def test_a_missing_store_is_refused_with_the_next_step(settings: Settings) -> None:
    with pytest.raises(PrivacyError, match=r"key\.missing.*khlang up"):
        KeyStore.open(settings)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o666])
def test_a_store_that_others_may_read_is_refused(settings: Settings, mode: int) -> None:
    keys.create(settings)
    _file(settings).chmod(mode)
    with pytest.raises(PrivacyError, match=r"key\.mode"):
        KeyStore.open(settings)


@pytest.mark.parametrize(
    "material",
    [
        b"", secrets.token_bytes(31), bytes(32), bytes(range(32)), b"\x01\x02" * 16,
        b"test-key-test-key-test-key-test!", bytes(range(0, 256, 8)), bytes(range(255, 223, -1)),
    ],
)  # fmt: skip
def test_short_patterned_and_textual_keys_are_refused(settings: Settings, material: bytes) -> None:
    keys.create(settings)
    _change(settings, lambda rows: rows[0].update(key=b64encode(material).decode()))
    with pytest.raises(PrivacyError, match=r"key\.weak"):
        KeyStore.open(settings)


def test_random_keys_are_never_taken_for_weak_ones() -> None:
    assert not [material for _ in range(20_000) if weakness(material := secrets.token_bytes(32))]


def test_one_key_in_two_places_is_refused(settings: Settings) -> None:
    keys.create(settings)
    _change(settings, lambda rows: rows[0].update(key=rows[1]["key"]))
    with pytest.raises(PrivacyError, match=r"key\.repeated"):
        KeyStore.open(settings)


def test_a_store_without_a_key_for_the_vault_is_refused(settings: Settings) -> None:
    keys.create(settings)
    _change(settings, lambda rows: rows.pop(1))
    with pytest.raises(PrivacyError, match=r"key\.missing"):
        KeyStore.open(settings)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"keys": [{"purpose": "lake"}]}', '{"keys": [1]}'])
def test_a_damaged_store_is_refused_without_showing_it(settings: Settings, content: str) -> None:
    keys.create(settings)
    _file(settings).write_text(content)
    with pytest.raises(PrivacyError) as refused:
        KeyStore.open(settings)
    assert content not in str(refused.value) or not content


def test_a_new_version_is_stored_and_used_and_the_old_one_stays(settings: Settings) -> None:
    store = keys.create(settings)
    value = pl.Series(["1"])
    before = store.pseudonymiser().of("person", value)[0]
    store.add("lake")
    again = KeyStore.open(settings)
    assert again.versions("lake") == (1, 2)
    assert again.pseudonymiser().of("person", value)[0].startswith("p2.")
    assert again.pseudonymiser("lake", 1).of("person", value)[0] == before


def test_a_study_has_its_own_key_and_its_pseudonyms_join_with_nothing(settings: Settings) -> None:
    store = keys.create(settings)
    store.add("study-7")
    value = pl.Series(["1"])
    lake, study = (store.pseudonymiser(name).of("person", value)[0][3:] for name in ("lake", "study-7"))
    assert lake != study


@pytest.mark.parametrize("purpose", ["vault", "names"])
def test_the_vaults_and_name_books_keys_make_no_pseudonyms(settings: Settings, purpose: str) -> None:
    store = keys.create(settings)
    with pytest.raises(PrivacyError, match=r"key\.purpose"):
        store.pseudonymiser(purpose)


def test_an_audience_or_version_that_is_not_there_is_refused(settings: Settings) -> None:
    store = keys.create(settings)
    for place in (("nobody", None), ("lake", 2)):
        with pytest.raises(PrivacyError, match=r"key\.missing"):
            store.pseudonymiser(*place)


def test_neither_store_nor_key_shows_or_travels(settings: Settings) -> None:
    store = keys.create(settings)
    key = store.key("lake")
    assert repr(key.material) not in repr(key) + repr(store)
    for value in (store, key):
        with pytest.raises(PrivacyError, match=r"key\.pickled"):
            pickle.dumps(value)


def test_a_store_of_an_unknown_kind_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"key\.scheme"):
        KeyStore.open(Settings(home=tmp_path, key_store="cloud:somewhere"))


def test_a_named_file_counts_from_the_home(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, key_store="file:elsewhere/store.json")
    keys.create(settings)
    assert (tmp_path / "elsewhere" / "store.json").exists()


def test_two_who_add_keys_to_a_file_at_once_lose_none(settings: Settings) -> None:
    keys.create(settings)

    def _adds(_: int) -> set[str]:
        store = KeyStore.open(settings)
        return {store.add("study").id for _ in range(5)}

    with ThreadPoolExecutor(4) as pool:
        made = set[str]().union(*pool.map(_adds, range(4)))
    kept = [key.id for key in KeyStore.open(settings).listed() if key.purpose == "study"]
    assert len(kept) == 20 and set(kept) == made


def test_a_store_that_is_open_finds_a_version_that_another_process_made(settings: Settings) -> None:
    opened = keys.create(settings)
    made = KeyStore.open(settings).add("vault")
    assert opened.key("vault").version == 1 and opened.key("vault", 2).material == made.material


def test_new_work_of_a_long_lived_process_takes_the_newest_version_soon(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = keys.create(settings)
    KeyStore.open(settings).add("vault")
    assert opened.renewed().key("vault").version == 1
    now = time.monotonic()
    monkeypatch.setattr("khlang.lake.keys.time.monotonic", lambda: now + keys.RENEW_SECONDS + 1)
    assert opened.renewed().key("vault").version == 2


def test_an_old_version_is_removed_and_the_newest_never(settings: Settings) -> None:
    store = keys.create(settings)
    store.add("vault")
    with pytest.raises(PrivacyError, match=r"key\.newest"):
        store.remove("vault", 2)
    store.remove("vault", 1)
    assert KeyStore.open(settings).versions("vault") == (2,)
    assert store.add("vault").version == 3


def _unfit(settings: Settings, how: str) -> Settings:
    """A lake whose key store is missing, or holds a short or a test key."""
    if how != "missing":
        keys.create(settings)
        material = secrets.token_bytes(31) if how == "short" else b"test-key-test-key-test-key-test!"
        _change(settings, lambda rows: rows[0].update(key=b64encode(material).decode()))
    return settings


@pytest.mark.parametrize("how", ["missing", "short", "test"])
@pytest.mark.parametrize("job", JOBS)
def test_no_job_starts_over_an_unfit_key_store(settings: Settings, job: str, how: str) -> None:
    with pytest.raises(PrivacyError, match=r"key\.(missing|weak)"):
        run_job(job, _unfit(settings, how))


@pytest.mark.parametrize("how", ["missing", "short", "test"])
def test_the_page_does_not_open_over_an_unfit_key_store(settings: Settings, how: str) -> None:
    with pytest.raises(PrivacyError, match=r"key\.(missing|weak)"):
        make(_unfit(settings, how))
