"""Agents elsewhere, as commands: told over the bus by a run, watched by it, and going on while the bus is away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from cli.far_vantages import far_vantages
from core.clock_records import ClockOffset
from core.enrolment import Role
from core.errors import BlockedError
from core.loader import load_inventory
from core.records import Note, ProbeStarted, ProbeStopped, Summary
from store.runs import RunDirectory
from tests.chaos.on_bus import Bus
from tests.store.servers import free_port, nats
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = """
vip: {{ name: v, address: 127.0.0.1, port: {port} }}
sites:
  dc1:
    nat_pool: {{ name: N1, network: 127.0.0.0/24 }}
    nodes:
      ace1: {{ host: here, addresses: [127.0.0.9] }}
hosts:
  here: {{ transport: local }}
  far: {{ transport: ssh, target: far.example.net, user: u, identity_file: /id, known_hosts: /known }}
vantages:
  c1: {{ host: far, agent: bus, sessions: 3, period_s: 0.05 }}
  c2: {{ host: far, agent: bus, sessions: 2, period_s: 0.05 }}
"""


@contextmanager
def process(*argv: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, *argv], env={**os.environ, **environment}, cwd=ROOT) as found:
        try:
            yield found
        finally:
            found.send_signal(signal.SIGTERM)
            found.wait(20)


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Bus, Path, ExitStack]]:
    """A bus with agents c1 and c2, each a process with a home of its own, and a service for them to probe."""
    port, bus_port = free_port(), free_port()
    monkeypatch.setenv("VIPCHAOS_HOME", str(tmp_path / "controller"))
    (tmp_path / "controller").mkdir()
    inventory, directory = tmp_path / "inventory.yaml", tmp_path / "bus"
    inventory.write_text(INVENTORY.format(port=port))
    enrol = ["-m", "cli", "enrol", "--inventory", str(inventory), "--directory", str(directory)]
    subprocess.run([sys.executable, *enrol, "--url", f"nats://127.0.0.1:{bus_port}"], check=True, cwd=ROOT)
    with ExitStack() as held:
        server = held.enter_context(nats(directory, "include authorization.conf", port=bus_port))
        words = ("--name", "s1", "--bind", "127.0.0.1", "--port", str(port))
        held.enter_context(process("-m", "probe.reflector", *words))
        yield Bus(directory, server), inventory, held


def start_agent(bus: Bus, name: str, home: Path, held: ExitStack) -> subprocess.Popen[bytes]:
    argv = ("-m", "cli", "agent", "--engine", "socket", "--member", str(bus.place(Role.AGENT, name)))
    return held.enter_context(process(*argv, VIPCHAOS_HOME=str(home / name)))


def test_a_run_is_watched_by_agents_elsewhere_also_over_a_break_of_the_bus(
    far: tuple[Bus, Path, ExitStack], tmp_path: Path
) -> None:
    bus, inventory, held = far
    agents = {name: start_agent(bus, name, tmp_path, held) for name in ("c1", "c2")}
    run = RunDirectory.create("far")
    member, told = bus.place(Role.CONTROLLER, "main"), list[str]()
    with far_vantages(load_inventory(inventory), inventory, member, run, told.append) as failed:
        wait_for(lambda: answered(run) == {"c1", "c2"}, 30)
        bus.server.kill()
        # An agent that is killed meanwhile is started again by its service, and goes on.
        agents["c1"].kill()
        agents["c1"].wait()
        start_agent(bus, "c1", tmp_path, held)
        bus.server.start()
        wait_for(lambda: sum(record.vantage == "c1" for record in of(run, ProbeStarted)) == 2, 30)
        assert failed() == ""
    stopped = [record.vantage for record in of(run, ProbeStopped)]
    assert sorted(stopped) == ["c1", "c1", "c2"]
    seconds = {name: [s.t_ns for s in of(run, Summary) if s.vantage == name] for name in ("c1", "c2")}
    at_c2 = sorted(set(seconds["c2"]))
    assert max(b - a for a, b in pairwise(at_c2)) < 2_500_000_000
    assert {offset.vantage for offset in of(run, ClockOffset) if offset.bound_ns >= 0} == {"c1", "c2"}
    assert not [note for note in of(run, Note) if "never came" in note.text]
    assert told == []
    for name in ("c1", "c2"):
        here = {path.name for path in run.path.glob(f"{name}+*.db")}
        assert here == {path.name for path in (tmp_path / name / "runs" / run.run).glob("*.db")}


def test_agents_elsewhere_need_a_bus(far: tuple[Bus, Path, ExitStack]) -> None:
    bus, inventory, _ = far
    loaded, run = load_inventory(inventory), RunDirectory.create("far")
    with pytest.raises(BlockedError, match=r"agents c1, c2 are reached over the bus"):
        far_vantages(loaded, inventory, None, run, print).__enter__()
    bus.server.kill()
    with pytest.raises(BlockedError, match="does not answer"):
        far_vantages(loaded, inventory, bus.place(Role.CONTROLLER, "main"), run, print).__enter__()


def of(run: RunDirectory, kind: type) -> list:  # type: ignore[type-arg]
    return [record for record in RunDirectory(run.path).read_new() if isinstance(record, kind)]


def answered(run: RunDirectory) -> set[str]:
    return {summary.vantage for summary in of(run, Summary) if summary.answered}
