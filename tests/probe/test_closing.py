"""A service that answers and then ends each connection is told as such, and is not flooded with new ones."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from core.records import Note, Opened, ProbeHealth
from tests.probe.conftest import INVENTORY, Network, start_agent
from tests.waiting import wait_for

S = 1_000_000_000


@pytest.mark.parametrize("engine", ["ring", "socket"])
def test_a_service_that_keeps_no_connections(network: Network, tmp_path: Path, engine: str) -> None:
    """Python's own web server speaks HTTP/1.0: five sessions with a heartbeat every 100 ms."""
    network.start(network.server, sys.executable, "-m", "http.server", "7080", "--directory", str(tmp_path))
    wait_for(lambda: ":7080" in network.run(network.server, "ss", "-Hltn"))
    text = INVENTORY.replace("port: 7000", "port: 7080, service: {mode: http}")
    text = text.replace("sessions: 25", "sessions: 5").replace("period_s: 0.01", "period_s: 0.1")
    agent = start_agent(network, tmp_path, inventory_text=text, engine=engine)
    wait_for(lambda: [r for r in agent.of(Note) if isinstance(r, Note) and "keeps no connections" in r.text])
    began = len(agent.of(ProbeHealth))
    wait_for(lambda: len(agent.of(ProbeHealth)) >= began + 4)
    opened = [r for r in agent.stop() if isinstance(r, Opened) and r.slot >= 0]
    for slot, count in Counter(record.slot for record in opened).items():
        mine = [record.t_ns for record in opened if record.slot == slot]
        assert count <= (mine[-1] - mine[0]) / S + 2, f"slot {slot} was opened {count} times"
    assert len({record.slot for record in opened}) == 5
