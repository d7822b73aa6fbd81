"""A file is written whole, and it and its name are on the disk before the writer goes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from store.audit import Audit
from store.whole import write_whole


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what was fsynced, in order, and of what was renamed."""
    seen: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def spied_fsync(descriptor: int) -> None:
        seen.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        fsync(descriptor)

    def spied_rename(path: Path, target: Path) -> Path:
        seen.append(f"rename {path.name} {target.name}")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", spied_fsync)
    monkeypatch.setattr(Path, "rename", spied_rename)
    return seen


def test_content_then_name_then_directory(tmp_path: Path, synced: list[str]) -> None:
    path = tmp_path / "lease.json"
    path.write_text("old")
    write_whole(path, "new")
    assert path.read_text() == "new"
    new = f".lease.json.{os.getpid()}.new"
    assert synced == [f"sync {new}", f"rename {new} lease.json", f"sync {tmp_path.name}"]
    assert [each.name for each in tmp_path.iterdir()] == ["lease.json"]


def test_what_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lease.json"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "new")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("lease.json", "old")]


def test_an_entry_of_the_audit_is_on_disk_as_it_is_told(tmp_path: Path, synced: list[str]) -> None:
    Audit(tmp_path / "audit.jsonl").add(1, "a test", "armed", {})
    assert synced[-1] == "sync audit.jsonl"
