"""Agents to the controller by a real server: each record once, whatever is killed on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.fleet import Agent, Controller, count, rows
from tests.store.journals import S, busy, drop, outage
from tests.store.servers import Nats, nats


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    with nats(tmp_path_factory.mktemp("nats")) as found:
        yield found


@pytest.fixture
def controller(server: Nats, tmp_path: Path) -> Iterator[Controller]:
    found = Controller(server, tmp_path)
    found.bus.wait()
    yield found
    found.close()


def test_what_an_agent_writes_is_in_the_controllers_journal(
    server: Nats, controller: Controller, tmp_path: Path
) -> None:
    controller.receiver.receive()
    agent = Agent(server, tmp_path, "c1")
    agent.write("slice", [*busy("c1", 100, slots=3), drop(200 * S, "c1", 1), outage(210 * S, "c1", 0)])
    agent.bus.wait()
    agent.shipper.run(once=True)
    wanted = count(agent.journal("slice"))
    controller.receive(wanted)
    found = controller.runs / "slice/c1+b1.db"
    assert [kind for kind, _ in rows(found)] == [kind for kind, _ in rows(agent.journal("slice"))]
    assert controller.receiver.counts.doubled == 0
    agent.close()
