"""Secrets: generated once, private, never shown, never handed to Spark's options or to arguments."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from khlang.errors import SettingsError
from khlang.lake.secrets import Secrets, location
from khlang.lake.session import options
from khlang.lake.stores import endpoint, ledger_url, s3a_options, storage_options
from khlang.settings import Settings
from khlang.stack.airflow import _public
from khlang.stack.surroundings import service_environment


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", base_port=30100)  # type: ignore[call-arg]


def test_secrets_are_made_once_and_only_their_owner_reads_them(settings: Settings) -> None:
    made = Secrets.create(settings)
    assert location(settings).stat().st_mode & 0o777 == 0o600
    assert Secrets.create(settings).values() == made.values() == Secrets.open(settings).values()
    assert len(set(made.values())) == len(made.values())
    assert min(len(value) for value in made.values()) >= 20


def test_a_secrets_file_that_others_may_read_is_refused(settings: Settings) -> None:
    Secrets.create(settings)
    location(settings).chmod(0o640)
    with pytest.raises(SettingsError) as refused:
        Secrets.open(settings)
    assert refused.value.code == "secrets.open"


def test_a_missing_secrets_file_is_told_with_the_next_step(settings: Settings) -> None:
    with pytest.raises(SettingsError) as refused:
        Secrets.open(settings)
    assert refused.value.code == "secrets.missing" and "khlang up" in refused.value.next_step


def test_a_newer_version_adds_what_its_file_lacks_and_keeps_the_rest(settings: Settings) -> None:
    made = Secrets.create(settings)
    kept = json.loads(location(settings).read_text())
    del kept["superset_planner_password"]
    location(settings).write_text(json.dumps(kept))
    with pytest.raises(SettingsError):
        Secrets.open(settings)
    again = Secrets.create(settings)
    assert again.superset_planner_password and again.lake_secret_key == made.lake_secret_key


def test_settings_win_over_the_file(settings: Settings) -> None:
    Secrets.create(settings)
    outside = settings.model_copy(update={"lake_access_key": "mine", "lake_secret_key": "too"})
    assert storage_options(outside)["aws_access_key_id"] == "mine"
    assert Secrets.open(outside).landing_access_key == Secrets.open(settings).landing_access_key


def test_no_secret_shows_in_a_representation(settings: Settings) -> None:
    made = Secrets.create(settings)
    assert not [value for value in made.values() if value in repr(made) or value in str(made)]


@pytest.mark.parametrize("shown", ["spark options", "service environment", "airflow settings"])
def test_no_secret_stands_where_ps_plans_or_tasks_show_it(
    settings: Settings, shown: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("khlang.lake.session.jars_folder", lambda: tmp_path)
    text = {
        "spark options": lambda: json.dumps(options(settings, "a test")),
        "service environment": lambda: json.dumps(service_environment(settings)),
        "airflow settings": lambda: json.dumps(_public(settings)),
    }[shown]
    made = Secrets.create(settings)
    assert not [value for value in made.values() if value in text()]


def test_the_jvm_is_told_nothing_of_the_landing_store(settings: Settings) -> None:
    made = Secrets.create(settings)
    told = json.dumps(s3a_options(settings))
    assert made.lake_secret_key in told
    assert made.landing_secret_key not in told and str(settings.port("landing_s3")) not in told


def test_commits_to_the_lake_are_conditional_puts(settings: Settings) -> None:
    Secrets.create(settings)
    assert storage_options(settings)["aws_conditional_put"] == "etag"
    assert "allow_unsafe_rename" not in json.dumps(storage_options(settings))


def test_addresses_follow_the_base_port_or_the_settings(settings: Settings) -> None:
    Secrets.create(settings)
    assert endpoint(settings, "landing") == "http://127.0.0.1:30110"
    assert "@127.0.0.1:30120/khlang" in ledger_url(settings)
    other = settings.model_copy(update={"lake_endpoint": "https://s3.example", "database_url": "x://y"})
    assert endpoint(other, "lake") == "https://s3.example" and ledger_url(other) == "x://y"
    assert s3a_options(other)["fs.s3a.connection.ssl.enabled"] == "true"
