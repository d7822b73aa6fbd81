"""Planned runs that are left out: kept until their time is long over, taken back, and never in the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from store.skips import skip, skipped, take_back

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)


def test_a_skip_is_kept_taken_back_and_forgotten_when_it_is_old(tmp_path: Path) -> None:
    assert skipped(tmp_path) == {}
    assert not take_back(tmp_path, "drill", NOON)
    skip(tmp_path, "drill", NOON, "by\nuid 0")
    skip(tmp_path, "drill-2", NOON + timedelta(days=1), "by uid 1")
    assert skipped(tmp_path) == {"drill-20260610T120000Z": "by uid 0", "drill-2-20260611T120000Z": "by uid 1"}
    assert take_back(tmp_path, "drill-2", NOON + timedelta(days=1))
    (tmp_path / "skips" / "no key").write_bytes(b"\xff")
    assert set(skipped(tmp_path)) == {"drill-20260610T120000Z"}
    skip(tmp_path, "drill", NOON + timedelta(days=3), "by uid 0")
    assert set(skipped(tmp_path)) == {"drill-20260613T120000Z"}
