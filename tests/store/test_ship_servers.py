"""A million points, in the suite a cut of it, to real servers that are killed and restarted at random meanwhile.

`make ship-test` ships the whole.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from core.records import Drop, Summary
from store.feed import Feed
from store.influx import Api, Destination, Influx, Meaning, Reply
from store.ship_ledger import ShipLedger
from store.shipper import Clocks, Shipper
from tests.core.test_series import types
from tests.store.journals import WALL_NS, S, append, busy, drop, make_run, started, summary
from tests.store.servers import Influx1, Server, Victoria, influx1, victoria
from tests.store.ship_world import whole_run
from tests.waiting import wait_for

POINTS = int(os.environ.get("VIPCHAOS_SHIP_POINTS", "60000"))
KILLS = 10
VANTAGES = ("c1", "c2", "c3", "c4")
SLOTS = 500


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx1]:
    with influx1(tmp_path_factory.mktemp("influx")) as server:
        yield server


@pytest.fixture(scope="module")
def victoria_metrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victoria]:
    with victoria(tmp_path_factory.mktemp("victoria")) as server:
        yield server


def seconds() -> int:
    """So many that all vantages together give about `POINTS` points."""
    return max(100, POINTS // len(VANTAGES) // (5 + SLOTS // 100))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("home") / "runs"
    make_run(path, "r", {name: busy(name, seconds(), SLOTS) for name in VANTAGES})
    return path


def wanted() -> dict[str, int]:
    count = seconds()
    outages = count // 100 * SLOTS
    each = {"sessions": 4 * count, "probe_health": count, "outages": outages, "probes": 1}
    return {name: number * len(VANTAGES) for name, number in each.items()}


def destination(server: Server) -> Destination:
    return Destination(server.url, "-", "vipchaos", Api.V1 if isinstance(server, Influx1) else Api.V2)


def ship_killing(server: Server, runs: Path, directory: Path, kills: int) -> list[int]:
    """Ship all while the server is killed -9 at random moments, `kills` times; return what was accepted at each."""
    chance = random.Random(POINTS + kills)
    where = destination(server)
    ledger, sink = ShipLedger(directory / "ship.db", where.key), Influx(where, "")
    total = sum(wanted().values())
    marks = iter(sorted(chance.uniform(0.02, 0.7) * total for _ in range(kills)))
    feed = Feed({}, "test", runs)
    # A wait of at most 0.1 s instead of a minute: it is the restarts that take the time here.
    clocks = Clocks(threading.Event(), chance.random, wait=lambda wait_s: time.sleep(min(wait_s, 0.1)))
    shipper = Shipper(feed, sink, ledger, clocks, "test", points=1_000)
    done = threading.Event()
    killed_at: list[int] = []

    def kill() -> None:
        for mark in marks:
            while shipper.accepted < mark and not done.is_set():
                done.wait(0.001)
            done.wait(chance.uniform(0, 0.02))  # anywhere in a request
            server.kill()
            killed_at.append(shipper.accepted)
            server.start()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        shipper.run(once=True)
    finally:
        done.set()
        killer.join()
        sink.close()
        ledger.close()
    return killed_at


@pytest.mark.timeout(1_800)
def test_killed_ten_times_every_point_is_there_once(influx: Influx1, runs: Path, tmp_path: Path) -> None:
    killed_at = ship_killing(influx, runs, tmp_path, KILLS)
    assert len(killed_at) == KILLS
    assert max(killed_at) < sum(wanted().values())
    counted = {
        "sessions": influx.count("sessions", "alive"),
        "probe_health": influx.count("probe_health", "tick_ns"),
        "outages": influx.count("outages", "upper_ns"),
        "probes": influx.count("probes", "sessions"),
    }
    assert counted == wanted()
    (sums,) = influx.query("SELECT sum(answered) AS answered, sum(rtt_p50_ns) AS rtt FROM sessions WHERE time >= 0")
    records = [record for name in VANTAGES for record in busy(name, seconds()) if isinstance(record, Summary)]
    assert sums["answered"] == sum(record.answered for record in records)
    assert sums["rtt"] == sum(record.rtt_p50_ns for record in records)


@pytest.mark.timeout(1_800)
def test_what_a_server_lost_after_it_acknowledged_is_repaired(
    victoria_metrics: Victoria, runs: Path, tmp_path: Path
) -> None:
    """VictoriaMetrics acknowledges what is in memory only."""
    where = destination(victoria_metrics)
    ledger, sink = ShipLedger(tmp_path / "ship.db", where.key), Influx(where, "")
    clocks = Clocks(threading.Event(), random.random)
    killing = KillingAtTheLast(sink, victoria_metrics, sum(wanted().values()))
    shipper = Shipper(Feed({}, "test", runs), killing, ledger, clocks, "test")
    shipper.run(once=True)
    assert shipper.accepted == sum(wanted().values())
    victoria_metrics.start()
    if distinct(victoria_metrics) == wanted()["sessions"]:
        # It had just written to disk what was in memory: then the disk is lost, which is the same to who ships.
        victoria_metrics.kill()
        shutil.rmtree(data_of(victoria_metrics))
        victoria_metrics.start()
    assert distinct(victoria_metrics) < wanted()["sessions"]
    ledger.settle(Feed(ledger.cursors(), "test", runs).back_to(WALL_NS))
    Shipper(Feed(ledger.cursors(), "test", runs), sink, ledger, clocks, "test").run(once=True)
    sink.close()
    ledger.close()
    assert distinct(victoria_metrics) == wanted()["sessions"]


def data_of(server: Victoria) -> Path:
    """Return where the server keeps its data."""
    (word,) = (word for word in server.argv if word.startswith("-storageDataPath="))
    return Path(word.partition("=")[2])


@dataclass
class KillingAtTheLast:
    """Writes, and kills the server as soon as it has acknowledged the last of `left` points."""

    sink: Influx
    server: Server
    left: int

    def write(self, lines: list[str]) -> Reply:
        reply = self.sink.write(lines)
        self.left -= len(lines)
        if self.left == 0:
            assert reply.meaning is Meaning.ACCEPTED
            self.server.kill()
        return reply


def distinct(server: Victoria) -> int:
    """How many points of `sessions` there are, each once: what was shipped twice is stored twice there."""
    return sum(len(set(stamps)) for _, stamps, _ in server.samples("sessions_alive"))


def ship(server: Server, runs: Path, directory: Path) -> Shipper:
    where = destination(server)
    ledger, sink = ShipLedger(directory / "ship.db", where.key), Influx(where, "")
    clocks = Clocks(threading.Event(), random.random)
    shipper = Shipper(Feed({}, "whole", runs), sink, ledger, clocks, "whole")
    shipper.run(once=True)
    assert ledger.last_dead(3) == []
    sink.close()
    ledger.close()
    return shipper


def test_types_are_the_schemas_and_texts_come_back_as_they_were(influx: Influx1, tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "r", {"controller": whole_run(), "c1": busy("c1", 100, slots=2)})
    make_run(tmp_path / "runs", "s", {"c1": [started("c1"), nasty_drop()]})
    ship(influx, tmp_path / "runs", tmp_path)
    known = {f"{row['measurement']}.{row['fieldKey']}": row["fieldType"] for row in influx.query("SHOW FIELD KEYS")}
    assert known
    assert known.items() <= types().items()
    assert {name.split(".")[0] for name in known} >= {"runs", "failovers", "verdicts", "drops", "shipper"}
    (row,) = influx.query("SELECT detail FROM drops WHERE environment = 'whole'")
    assert row["detail"] == NASTY.replace("\n", " ")
    (row,) = influx.query("SELECT * FROM runs WHERE environment = 'whole'")
    assert (row["time"], row["run"], row["outcome"]) == (WALL_NS, "r", "INCONCLUSIVE")


NASTY = 'it said "x=1, y\\ \\" z\\" \n and, then = ünïcode 🙂 \\'


def nasty_drop() -> Drop:
    return replace(drop(9 * S, "c1", 3), detail=NASTY)


def test_a_type_that_the_server_has_otherwise_is_the_only_thing_refused(influx: Influx1, tmp_path: Path) -> None:
    foreign = "sessions,environment=clash,vantage=c1,site=dc1,node=ace1,nat_pool=N1 alive=1.5 %d"
    influx.query("CREATE DATABASE clash WITH DURATION INF SHARD DURATION 52w")
    where = Destination(influx.url, "", "clash", Api.V1)
    sink = Influx(where, "")
    assert sink.write([foreign % (WALL_NS - 1)]).meaning == "accepted"
    make_run(tmp_path / "runs", "r", {"c1": busy("c1", 40)})
    ledger = ShipLedger(tmp_path / "ship.db", where.key)
    Shipper(Feed({}, "clash", tmp_path / "runs"), sink, ledger, Clocks(threading.Event(), random.random), "clash").run(
        once=True
    )
    dead = ledger.last_dead(10_000)
    assert len(dead) == 4 * 40
    assert all(letter.line.startswith("sessions,") for letter in dead)
    assert "field type conflict" in dead[0].words
    assert influx.query("CREATE DATABASE vipchaos") == []
    ledger.close()
    sink.close()


def test_what_is_away_is_told_by_the_real_servers(influx: Influx1) -> None:
    missing = Influx(Destination(influx.url, "", "nonesuch", Api.V1), "")
    assert "nonesuch" in (reply := missing.write(["a b=1i 1"])).words
    assert reply.meaning == "stop"
    other = Influx(Destination(influx.url, "o", "b", Api.V2), "")
    assert "InfluxDB 1 wants --api v1" in (reply := other.write(["a b=1i 1"])).words
    assert reply.meaning == "stop"
    missing.close()
    other.close()


def test_a_shipper_killed_at_any_moment_goes_on_where_it_was(influx: Influx1, tmp_path: Path) -> None:
    """The command itself, killed -9 as it ships what an agent goes on writing."""
    home = tmp_path
    run = make_run(home / "runs", "k", {"c9": busy("c9", 2_000)})
    environment = {**os.environ, "VIPCHAOS_HOME": str(home), "VIPCHAOS_INFLUX_URL": influx.url}
    argv = [sys.executable, "-m", "cli", "ship", "--api", "v1", "--bucket", "vipchaos"]
    for number in range(3):
        with subprocess.Popen(argv, env=environment, stderr=subprocess.DEVNULL) as shipping:
            before = shipped(home)
            wait_for(partial(moved_on, home, before), 60)
            append(run / "c9.db", [summary((3_000 + 10 * number + n) * S, "c9", 0) for n in range(10)])
            shipping.send_signal(signal.SIGKILL)
    done = subprocess.run([*argv, "--once"], env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = influx.query("SELECT count(alive) FROM sessions WHERE vantage = 'c9'")
    assert rows[0]["count"] == 4 * 2_000 + 30


def moved_on(home: Path, before: int) -> bool:
    return shipped(home) > before


def shipped(home: Path) -> int:
    if not (home / "ship.db").exists():
        return 0
    with sqlite3.connect(home / "ship.db") as connection:
        try:
            (count,) = connection.execute("SELECT coalesce(sum(seq), 0) FROM cursors").fetchone()
        except sqlite3.OperationalError:
            return 0
    return int(count)
