"""The live line: what it says of a probe whose receive ring was full."""

from __future__ import annotations

import io

import pytest

from cli.progress import Progress
from core.records import ProbeHealth


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def health(second: int, ring_dropped: int) -> ProbeHealth:
    return ProbeHealth(second * 1_000_000_000, "c1", 1, 0, 0, 0, 0, ring_dropped, 0, 0, 0, 1, ())


def test_a_full_ring_is_told_once_for_as_long_as_it_lasts() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    for second, lost in enumerate((0, 5, 6, 0, 7)):
        progress.see(health(second, lost))
    told = [line.split(" s  ")[1] for line in stream.getvalue().splitlines()]
    assert told == [
        "c1: ring drops: 5 packets found the receive ring full",
        "c1: ring drops: 7 packets found the receive ring full",
    ]


def test_the_live_line_keeps_the_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.progress.REWRITE_S", 0.0)
    stream = Terminal()
    progress = Progress(stream)
    progress.see(health(1, 0))
    assert "ring drops" not in stream.getvalue()
    progress.see(health(2, 5))
    progress.see(health(3, 6))
    assert stream.getvalue().endswith("dropped 0  ring drops 11 at c1")
