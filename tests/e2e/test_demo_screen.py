"""The demo on a real terminal: the screens open by themselves on the run, and the table comes when they are left."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.tui.terminal import ROOT, terminal
from tests.waiting import wait_for

EXPERIMENT = ROOT / "experiments" / "node-failover.yaml"


def test_the_demo_opens_its_screens_and_prints_its_table_when_they_are_left(tmp_path: Path) -> None:
    with terminal(tmp_path) as screen:
        screen.run(f"{sys.executable} -m cli demo {EXPERIMENT}; echo code $?")
        screen.shows("STEADY", 90)
        screen.shows("▼ ace1", 60)
        screen.type("4")
        screen.shows("node-failover-", 30)  # its lease, which is out inside the lab only
        screen.type("2")
        screen.shows("RUN ENDED", 90)
        assert "ace1/N1 → ace2/N1" in screen.text()
        screen.type("q")
        wait_for(lambda: screen.state() == "0 1 0")
        screen.shows("expectations held", 30)
        screen.shows("code 0", 30)
