"""The ledger of shipping: cursors and dead letters, whole or not at all, and bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from store import ship_ledger as ledger_module
from store.journal import JournalError
from store.ship_ledger import Cursor, DeadLetter, ShipLedger


def test_dead_letters_are_counted_for_ever_and_kept_up_to_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "KEPT", 10)
    ledger = ShipLedger(tmp_path / "ship.db", "there")
    for number in range(7):
        ledger.settle({}, [DeadLetter(f"{number}-{n}", "w") for n in range(5)])
    assert ledger.dead_letters() == 35
    assert [letter.line for letter in ledger.last_dead(100)] == [f"{k}-{n}" for k in (6, 5) for n in (4, 3, 2, 1, 0)]


def test_a_ledger_that_cannot_be_used_is_told_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "ship.db").write_bytes(b"no database" * 1_000)
    with pytest.raises(JournalError, match=r"ship\.db: the ledger of shipping cannot be used"):
        ShipLedger(tmp_path / "ship.db", "there")


def test_cursors_of_destinations_are_apart_and_settle_whole_or_not_at_all(tmp_path: Path) -> None:
    one, two = (ShipLedger(tmp_path / "ship.db", name) for name in ("one", "two"))
    one.settle({"a": Cursor(3, 4)}, [DeadLetter("l", "w")], 5)
    assert (one.cursors(), two.cursors()) == ({"a": Cursor(3, 4)}, {})
    assert (one.dead_letters(), two.dead_letters(), one.last_dead(1)) == (1, 0, [DeadLetter("l", "w", 5)])
    with pytest.raises(JournalError):
        one.settle({"a": Cursor(9), "b": Cursor(9)}, [DeadLetter(None, "w")])  # type: ignore[arg-type]
    assert one.cursors() == {"a": Cursor(3, 4)}
