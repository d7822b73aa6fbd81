"""Agents to the controller by a real server: each record once, whatever is killed on the way."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from core.bus import BusAwayError, records_subject
from core.clock_records import ClockOffset
from core.records import Note, OutageEnded, Outcome, Record, RunEnded
from core.shifted import shifted
from store.journal import read_kind, read_seconds
from store.parcel import Parcel, pack
from store.spool import Bounds, used
from tests.store.fleet import Agent, Controller, committed, count, in_its_own_clock, rows
from tests.store.journals import S, busy, drop, outage, summary
from tests.store.servers import LEAF, LEAF_HUB, Nats, free_port, nats
from tests.waiting import wait_for


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
    agent.ship()
    wanted = count(agent.journal("slice"))
    controller.receive("slice", wanted)
    found = controller.runs / "slice/c1+b1.db"
    assert [kind for kind, _ in rows(found)] == [kind for kind, _ in rows(agent.journal("slice"))]
    assert controller.receiver.counts.doubled == 0
    agent.close()


def test_the_controllers_clock_is_what_the_records_come_in(
    server: Nats, controller: Controller, tmp_path: Path
) -> None:
    """By exchanges over the bus where there were any, by the walls of both where not, and the bound says which."""
    controller.receiver.receive()
    controller.receiver.serve_clock()
    agent = Agent(server, tmp_path, "c1")
    agent.bus.wait()
    now_ns = time.monotonic_ns()
    agent.write("clock", [summary(now_ns, "c1", 0), outage(now_ns, "c1", 0)])
    agent.ship()
    controller.receive("clock", 2)
    path = controller.runs / "clock/c1+b1.db"
    (offset,) = read_kind(path, ClockOffset)
    # Both clocks are this machine's: the true offset is 0.
    assert 0 < offset.bound_ns < 50_000_000
    assert abs(offset.offset_ns) <= offset.bound_ns
    (second,), (ended,) = read_seconds(path, 0), read_kind(path, OutageEnded)
    assert second.t_ns == ended.t_ns == now_ns + offset.offset_ns
    assert ended == shifted(outage(now_ns, "c1", 0), offset.offset_ns)
    elsewhere = Controller(server, tmp_path / "other", clock="another host")
    elsewhere.bus.wait()
    elsewhere.receive("clock", 2)
    (unmeasured,) = read_kind(elsewhere.runs / "clock/c1+b1.db", ClockOffset)
    assert unmeasured.bound_ns == -1
    assert abs(unmeasured.offset_ns) < 1_000_000_000
    elsewhere.close()
    agent.close()


def test_whatever_is_killed_on_the_way_nothing_is_lost_or_doubled(
    server: Nats, controller: Controller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Server and receiver die at random moments, at last each shipper; what was on its way is done twice."""
    chance = random.Random(7)
    agents = [Agent(server, tmp_path, name) for name in ("k1", "k2")]
    for agent in agents:
        agent.write("kill", busy(agent.name, 1_000, slots=50))
        agent.bus.wait()
    total = sum(count(agent.journal("kill")) for agent in agents)
    threads = [agent.start() for agent in agents]
    kills = 0
    while any(thread.is_alive() for thread in threads) or controller.committed("kill") < total or kills < 6:
        with contextlib.suppress(BusAwayError):
            controller.receiver.receive()
        if kills < 6 and chance.random() < 0.1:
            kills += 1
            if kills % 2:
                server.kill()
                server.start()
            else:
                controller.begin()
    # A shipper that was killed before its cursor was on the disk sends all again, and parts it otherwise.
    monkeypatch.setattr("store.spool.PARCEL_BYTES", 50_000)
    for agent in agents:
        agent.forget()
        agent.ship()
    while controller.receiver.counts.doubled < total:
        controller.receiver.receive()
    for agent in agents:
        assert in_its_own_clock(controller.runs / f"kill/{agent.name}+b1.db") == in_its_own_clock(agent.journal("kill"))
        agent.close()
    assert controller.receiver.counts.missed == 0


def test_a_receiver_killed_by_the_kernel_goes_on_where_it_was(server: Nats, tmp_path: Path) -> None:
    """The receiving process itself, killed -9 three times while an agent ships."""
    agent = Agent(server, tmp_path, "k9")
    agent.write("kill9", busy("k9", 1_500, slots=20))
    agent.bus.wait()
    Controller(server, tmp_path).close()
    total, home = count(agent.journal("kill9")), tmp_path / "controller"
    path = home / "runs/kill9/k9+b1.db"
    argv = [sys.executable, "-m", "tests.store.receiving", server.bus, str(home)]
    for number in range(4):
        with subprocess.Popen(argv) as receiving:
            if not number:
                shipping = agent.start()
            wait_for(lambda: path.exists() and committed(path) >= (number + 1) * total // 4, 60)  # noqa: B023
            receiving.send_signal(signal.SIGKILL)
    shipping.join()
    assert in_its_own_clock(path) == in_its_own_clock(agent.journal("kill9"))
    agent.close()


def test_while_the_bus_is_away_summaries_go_and_changes_stay(
    server: Nats, controller: Controller, tmp_path: Path
) -> None:
    agent = Agent(server, tmp_path, "away", Bounds(bytes=400_000))
    agent.bus.wait()
    controller.receiver.receive()
    agent.write("away", busy("away", 100))
    agent.ship()
    server.kill()
    shipping = agent.start(once=False)
    later = [drop((1_000 + number) * S, "away", number) for number in range(50)]
    agent.write("away", [*busy("away", 2_000), *later, summary(2_000 * S, "away", 0)])
    everything = count(agent.journal("away"))
    wait_for(lambda: agent.state() == "waiting")
    wait_for(lambda: used(agent.journal("away")) <= 400_000)
    server.start()
    left = count(agent.journal("away"))
    assert left < everything
    controller.receive("away", left + 1)
    agent.clocks.stop.set()
    shipping.join()
    assert agent.thinned == everything - left
    path = controller.runs / "away/away+b1.db"
    assert [note.text for note in read_kind(path, Note)] == [
        f"away: {agent.thinned} summaries were given up for room while the bus was away"
    ]
    kinds = Counter(kind for kind, _ in rows(path))
    assert kinds["Drop"] == 50
    assert kinds["ProbeStarted"] == 2
    assert kinds["Summary"] + kinds["ProbeHealth"] == 5 * 2_100 + 1 - agent.thinned
    assert controller.receiver.counts.missed == 0
    agent.close()


def test_no_agent_can_tell_anothers_records(server: Nats, controller: Controller, tmp_path: Path) -> None:
    """By its own subject, its own journal and its own rows; nor what only a controller tells."""
    controller.receiver.receive()
    liar = Agent(server, tmp_path, "liar")
    liar.bus.wait()
    forged = '{"t_ns":5,"vantage":"liar","slot":1,"session":"s","cause":"reset","detail":"","age_ns":1,"vantage":"c1"}'
    ended = RunEnded(6, 7, Outcome.PASSED)
    mine = (1, 5, "Drop", "liar", row_body(drop(5, "liar", 1)))
    lies = (
        (2, 5, "Drop", "liar", row_body(drop(5, "c1", 1))),
        (3, 5, "Drop", "liar", forged),
        (4, 5, "Drop", "c1", row_body(drop(5, "liar", 1))),
        (5, 6, "RunEnded", "", row_body(ended)),
        (6, 5, "Note", "", row_body(Note(5, "controller", "all is well"))),
        (7, 5, "Drop", "liar", "{}"),
        (8, 5, "Nonesuch", "liar", "{}"),
    )
    whole = Parcel("liar", "lies", "liar+b1", 0, 0, "", 0, -1, 0, (mine, *lies))
    messages = (
        pack(whole),
        pack(replace(whole, agent="c1", journal="c1+b1")),
        pack(replace(whole, journal="c1+b1")),
        pack(replace(whole, run="../lies")),
        pack(replace(whole, rows=(mine, mine))),
        b"no parcel",
    )
    for number, message in enumerate(messages):
        liar.bus.publish(records_subject("liar"), message, f"lie-{number}")
    controller.receive("lies", 1)
    wait_for(lambda: controller.receiver.receive() or sum(controller.receiver.counts.refused.values()) == 7 + 8 + 4)
    assert [kind for kind, _ in rows(controller.runs / "lies/liar+b1.db")] == ["Drop"]
    assert not [path for path in controller.runs.rglob("*.db") if path.stem != "liar+b1" and "lies" in str(path)]
    assert any("whose subject it is not" in line for line in controller.told)
    liar.close()


def row_body(record: Record) -> str:
    return msgspec.json.encode(record).decode()


def test_two_servers_one_in_each_site(tmp_path: Path) -> None:
    """A leaf server beside the agents, the hub beside the controller: docs/bus.md has the two configurations."""
    hub_leaf = free_port()
    with nats(tmp_path, LEAF_HUB.format(port=hub_leaf), name="hub", domain="hub") as hub:
        controller = Controller(hub, tmp_path)
        controller.bus.wait()
        controller.receiver.receive()
        with nats(tmp_path, LEAF.format(port=hub_leaf), name="leaf", domain="leaf") as leaf:
            agent = Agent(leaf, tmp_path, "c1")
            agent.bus.wait()
            agent.write("leaf", busy("c1", 10))
            agent.ship()
            controller.receive("leaf", count(agent.journal("leaf")))
            hub.kill()
            agent.write("leaf", busy("c1", 10))
            shipping = agent.start()
            wait_for(lambda: agent.state() == "waiting")
            hub.start()
            controller.bus.wait(20)
            controller.receive("leaf", count(agent.journal("leaf")))
            shipping.join()
            agent.close()
        controller.close()
