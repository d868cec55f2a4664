"""Keys in a real OpenBao server: refused when anything is wrong with it, never lost between two who change them."""

from __future__ import annotations

import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from khlang import table
from khlang.bronze import job as bronze
from khlang.errors import KhlangError, PrivacyError, SettingsError, StackError
from khlang.lake import keys
from khlang.lake.keys import Key, KeyStore, source_of
from khlang.settings import Settings
from khlang.stack.seaweed import create_buckets
from lakes import Lake

from .bao import EMBEDDED, Bao, bao, put
from .landing_lake import database, dropped, filled
from .registered_people import deliver_people

__all__ = ["bao"]
pytestmark = pytest.mark.stack


def test_a_new_server_has_a_key_for_each_purpose_and_making_them_again_keeps_them(bao: Bao) -> None:
    before = [key.id for key in bao.reopened().listed()]
    assert {key.purpose for key in bao.reopened().listed()} == {"lake", "vault", "names"}
    assert [key.id for key in keys.create(bao.officer).listed()] == before


def test_jobs_read_keys_and_may_not_change_them(bao: Bao) -> None:
    with pytest.raises(PrivacyError, match=r"key\.forbidden.*may not change.*CREDENTIALS"):
        bao.reopened().add("study-1")
    assert "study-1" not in {key.purpose for key in bao.reopened().listed()}


def test_a_new_version_is_stored_and_the_old_one_stays(bao: Bao) -> None:
    old = bao.reopened().key("lake")
    made = KeyStore.open(bao.officer).add("lake")
    assert bao.reopened().key("lake").material == made.material
    assert bao.reopened().key("lake", old.version).material == old.material


def test_two_who_add_keys_at_once_lose_none(bao: Bao) -> None:
    def _adds(purpose: str) -> set[str]:
        store = KeyStore.open(bao.officer)
        return {store.add(purpose).id for _ in range(4)}

    with ThreadPoolExecutor(3) as pool:
        made = set[str]().union(*pool.map(_adds, ["race-1", "race-1", "race-2"]))
    kept = bao.reopened()
    assert made == {key.id for key in kept.listed() if key.purpose.startswith("race")}
    assert kept.versions("race-1") == tuple(range(1, 9)) and kept.versions("race-2") == (1, 2, 3, 4)


def test_the_server_itself_takes_no_write_without_check_and_set(bao: Bao) -> None:
    with pytest.raises(Exception, match="check-and-set"):
        bao.root.secrets.kv.v2.create_or_update_secret("keys", {"keys": []}, mount_point="khlang")


def test_a_destroyed_version_stands_in_no_earlier_state_of_the_secret(bao: Bao) -> None:
    store = KeyStore.open(bao.officer)
    gone, kept = store.add("names").version - 1, store.versions("names")[-1]
    store.remove("names", gone)
    with pytest.raises(PrivacyError, match=r"key\.missing"):
        bao.reopened().key("names", gone)
    versions = bao.root.secrets.kv.v2.read_secret_metadata("keys", "khlang")["data"]["versions"]
    assert [number for number, state in versions.items() if not state["destroyed"]] == [
        max(versions, key=int)
    ]
    with pytest.raises(PrivacyError, match=r"key\.newest"):
        store.remove("names", kept)


@pytest.mark.parametrize("weak", [bytes(range(32)), secrets.token_bytes(31)])
def test_a_weak_key_in_the_server_is_refused(bao: Bao, weak: bytes) -> None:
    at = bao.at(EMBEDDED)
    before = source_of(at).read()
    put(source_of(at), [replace(before[0], material=weak), *before[1:]])
    try:
        with pytest.raises(PrivacyError, match=r"key\.weak"):
            bao.reopened()
    finally:
        put(source_of(at), before)


def test_a_path_that_holds_nothing_is_a_missing_store(bao: Bao, tmp_path: Path) -> None:
    token = bao.token(tmp_path, bao.root.token)
    with pytest.raises(PrivacyError, match=r"key\.missing.*khlang keys create"):
        KeyStore.open(bao.at("khlang/elsewhere", key_store_credentials=token))
    with pytest.raises(PrivacyError, match=r"key\.forbidden"):
        KeyStore.open(bao.at("khlang/elsewhere"))


def test_deleted_keys_are_told_apart_from_none_and_never_made_anew(bao: Bao, tmp_path: Path) -> None:
    elsewhere = bao.at("khlang/deleted", key_store_credentials=bao.token(tmp_path, bao.root.token))
    keys.create(elsewhere)
    bao.root.secrets.kv.v2.delete_latest_version_of_secret("deleted", "khlang")
    for act in (KeyStore.open, keys.create):
        with pytest.raises(PrivacyError, match=r"key\.deleted.*never make new keys"):
            act(elsewhere)


def _refused(settings: Settings, kind: type[KhlangError], code: str) -> None:
    with pytest.raises(kind) as refused:
        KeyStore.open(settings)
    assert refused.value.code == code and refused.value.next_step and refused.value.th


def test_wrong_ended_and_revoked_credentials_are_refused(bao: Bao, tmp_path: Path) -> None:
    _refused(
        bao.at(EMBEDDED, key_store_credentials=bao.token(tmp_path, "s.wrong")), PrivacyError, "key.denied"
    )
    short = bao.root.auth.token.create(policies=["khlang-jobs"], ttl="1s", renewable=False)["auth"][
        "client_token"
    ]
    time.sleep(1.5)
    _refused(bao.at(EMBEDDED, key_store_credentials=bao.token(tmp_path, short)), PrivacyError, "key.denied")
    role = json.loads((bao.home / "jobs.json").read_text())
    wrong = tmp_path / "role.json"
    wrong.write_text(json.dumps({**role, "secret_id": "wrong"}))
    wrong.chmod(0o600)
    _refused(bao.at(EMBEDDED, key_store_credentials=str(wrong)), PrivacyError, "key.denied")
    wrong.chmod(0o640)
    _refused(bao.at(EMBEDDED, key_store_credentials=str(wrong)), PrivacyError, "key.mode")
    _refused(bao.at(EMBEDDED, key_store_credentials=str(tmp_path / "no")), PrivacyError, "key.credentials")
    _refused(bao.at(EMBEDDED, key_store_credentials=""), SettingsError, "key.credentials")


def test_a_server_that_is_not_there_or_shows_another_certificate_is_refused(bao: Bao) -> None:
    nobody = bao.settings.port("openbao") + 5
    away = bao.at(EMBEDDED, key_store=f"openbao:https://127.0.0.1:{nobody}/{EMBEDDED}")
    _refused(away, StackError, "key.unreachable")
    _refused(bao.at(EMBEDDED, key_store_ca=""), PrivacyError, "key.tls")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/khlang/keys", "https://a:b@127.0.0.1:1/khlang/keys", "https://h/m"]
)
def test_keys_never_travel_in_the_clear(bao: Bao, url: str) -> None:
    _refused(bao.at(EMBEDDED, key_store=f"openbao:{url}"), SettingsError, "key.address")


def test_a_token_made_for_one_reading_ends_with_it(bao: Bao) -> None:
    before = len(bao.root.auth.token.list_accessors()["data"]["keys"])
    bao.reopened()
    assert len(bao.root.auth.token.list_accessors()["data"]["keys"]) == before


def test_no_job_starts_while_the_server_is_sealed(bao: Bao) -> None:
    bao.root.sys.seal()
    try:
        _refused(bao.settings, StackError, "key.sealed")
        for job in ("landing", "gold"):
            assert "key.sealed" in bao.lake.told("run", job, expect=[7])
    finally:
        bao.unseal()
    assert bao.reopened().listed()


def test_bronze_over_openbao_makes_the_pseudonyms_of_a_file_with_the_same_keys(
    bao: Bao, stores: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = f"b{secrets.token_hex(4)}"
    file = {"key_store": f"file:keys/{mark}.json"}
    same = keys.create(stores.settings.model_copy(update=file)).listed()
    at = bao.at(EMBEDDED, key_store_credentials=str(bao.home / "jobs.json"))
    put(source_of(bao.at(EMBEDDED)), list(same))
    server = {name: getattr(at, name) for name in ("key_store", "key_store_ca", "key_store_credentials")}
    told = []
    for number, how in enumerate((file, server)):
        own = filled(database(stores.settings, f"{mark}{number}")).model_copy(
            update={"bucket_prefix": f"{mark}{number}-", "landing_lock_days": 1, **how}
        )
        told.append(_persons(own, tmp_path, monkeypatch))
        dropped(own)
    assert told[0].equals(told[1]) and told[0]["cid"].str.starts_with("p1.").sum() == 6


def _persons(own: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> pl.DataFrame:
    """Pseudonyms of bronze.person after the door and the bronze job have run over a lake."""
    for which in ("landing", "lake"):
        create_buckets(own, which)
    assert deliver_people(own, folder, range(6)).state == "checked"
    monkeypatch.setattr(
        "khlang.bronze.work.load", lambda: own
    )  # what a worker would read from its environment
    assert bronze.run(own)
    return table("bronze.person", settings=own).polars().select("cid", "pid", "hid").sort("cid")


def test_a_key_read_from_the_server_is_the_one_that_was_made(bao: Bao) -> None:
    made: Key = KeyStore.open(bao.officer).add("study-2")
    found = bao.reopened().key("study-2")
    assert (found.material, found.created) == (made.material, made.created)
