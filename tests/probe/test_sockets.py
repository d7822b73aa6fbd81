"""The offset between the clocks is that of a look which nothing interrupted."""

from __future__ import annotations

import itertools
import time

import pytest

from probe import sockets

OFFSET_NS = 1_700_000_000_000_000_000


def test_an_interrupted_look_at_the_clocks_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monotonic = itertools.chain([1_000, 50_001_000], itertools.count(60_000_000, 500))
    latest = 0

    def mono() -> int:
        nonlocal latest
        latest = next(monotonic)
        return latest

    walls = iter([OFFSET_NS + 1_000, *[0] * 9])
    monkeypatch.setattr(time, "monotonic_ns", mono)
    monkeypatch.setattr(time, "time_ns", lambda: next(walls) or OFFSET_NS + latest + 250)
    assert sockets.wall_offset_ns() == OFFSET_NS


def test_without_any_good_look_the_best_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monotonic = iter([0, 90_000, 100_000, 130_000, *[200_000, 900_000] * 3])
    walls = iter([OFFSET_NS, OFFSET_NS + 115_000, *[OFFSET_NS] * 3])
    monkeypatch.setattr(time, "monotonic_ns", lambda: next(monotonic))
    monkeypatch.setattr(time, "time_ns", lambda: next(walls))
    assert sockets.wall_offset_ns() == OFFSET_NS
