"""Uploads as they lie in landing: synced before they are acknowledged, expired, one process at a time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from khlang.errors import BusyError
from khlang.portal.upload import Upload
from khlang.portal.uploads import Uploads
from khlang.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)  # type: ignore[call-arg]


def test_bytes_that_were_never_acknowledged_are_written_anew(settings: Settings) -> None:
    uploads = Uploads(settings)
    upload = uploads.begin("99001", "a.zip", 10)
    first = uploads.writer(upload, 0)
    first.put(b"0123")
    upload = first.acknowledge()
    torn = uploads.writer(upload, 4)
    torn.put(b"torn")
    torn._file.flush()
    assert uploads.bytes_of(upload).read_bytes() == b"0123torn"
    again = uploads.writer(Uploads(settings).find("99001", upload.id), 4)  # type: ignore[arg-type]
    again.put(b"456789")
    whole = again.acknowledge()
    assert (whole.state, uploads.bytes_of(whole).read_bytes()) == ("whole", b"0123456789")


def test_what_is_on_the_disk_is_synced_before_it_is_acknowledged(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    monkeypatch.setattr("os.fsync", lambda _: order.append("sync"))
    monkeypatch.setattr(Uploads, "settle", lambda *_: order.append("told"))
    uploads = Uploads(settings)
    writing = uploads.writer(uploads.begin("99001", "a.zip", 4), 0)
    order.clear()
    writing.put(b"0123")
    writing.acknowledge()
    assert order == ["sync", "told"]


def test_unfinished_uploads_go_after_three_days_and_whole_ones_never(settings: Settings) -> None:
    now = [datetime.now(UTC)]
    uploads = Uploads(settings, lambda: now[0])
    names = ("coming", "whole", "taken")
    old = {name: uploads.begin("99001", f"{name}.zip", 4) for name in names}
    uploads.change(old["whole"], state="whole", whole_at=now[0])
    uploads.change(old["taken"], state="taken", whole_at=now[0], receipt="R", check={})
    now[0] += timedelta(days=settings.upload_days, seconds=-60)
    uploads.sweep()
    assert len(uploads.of("99001")) == 3
    now[0] += timedelta(seconds=120)
    uploads.sweep()
    assert [each.name for each in uploads.of("99001")] == ["whole.zip"]
    assert sorted(path.name for path in (uploads.folder / "99001").iterdir()) == sorted(
        [old["whole"].id, f"{old['whole'].id}.json"]
    )


def test_after_a_start_half_notes_and_bytes_without_a_note_are_gone(settings: Settings) -> None:
    uploads = Uploads(settings)
    upload = uploads.begin("99001", "a.zip", 4)
    for name in ("f" * 32, f"{upload.id}.new"):
        (uploads.folder / "99001" / name).write_bytes(b"x")
    uploads.tidy()
    assert {path.name for path in (uploads.folder / "99001").iterdir()} == {upload.id, f"{upload.id}.json"}


def test_two_processes_of_one_home_do_not_share_its_uploads(settings: Settings) -> None:
    one, other = Uploads(settings), Uploads(settings)
    one.take_over()
    with pytest.raises(BusyError):
        other.take_over()
    one.give_back()
    other.take_over()
    other.give_back()


def test_a_note_shows_neither_name_nor_findings_in_messages() -> None:
    upload = Upload(
        "0" * 32, "99001", "1101700203451.zip", 5, datetime.now(UTC), check={"zip": "1101700203451"}
    )
    assert "1101700203451" not in repr(upload)


def test_a_receipt_in_the_note_is_json_that_a_next_process_reads(settings: Settings) -> None:
    uploads = Uploads(settings)
    upload = uploads.begin("99001", "a.zip", 4)
    note = json.loads((uploads.folder / "99001" / f"{upload.id}.json").read_text())
    assert note["offset"] == 0 and Uploads(settings).find("99001", upload.id) == upload
