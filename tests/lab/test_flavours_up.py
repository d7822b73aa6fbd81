"""The flavours on the real daemons: each lab comes up healthy, and shows what each of its flavours is for."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from core.errors import CallError
from lab import client
from lab.flavours import FLAVOURS, VIP2
from lab.topology import PORT, VIP
from tests.waiting import wait_for

NODES_BY_BGP = ("rhi-bgp", "no-replication", "no-preemption")
PROXIES = ("rhi-static", "no-health", "haproxy", "third-site", "equal-metrics-l4")
OTHER_DAEMONS = ("exabgp", "frr", "equal-metrics-l3", "preempt-at-once")
TOO_FAST = ("rhi-bgp", "bfd", "second-vip")
HOLD = f"""
import socket, sys
held = socket.create_connection(({VIP.address!r}, {PORT}), 5)
for _ in sys.stdin:
    try:
        held.sendall(b"W held\\n")
        print(held.recv(128).decode().strip() or "end", flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
"""
ASK = f"""
import socket, sys
for _ in range(int(sys.argv[2])):
    with socket.create_connection((sys.argv[1], {PORT}), 2) as fresh:
        fresh.sendall(b"W fresh\\n")
        print(fresh.recv(128).decode().strip())
"""


def run(lab: client.Lab, node: str | None, *argv: str) -> str:
    """Run a command at a node of `lab` (None: among all) and return what it prints; it must succeed."""
    done = subprocess.run(
        lab.enter_argv(node, argv), capture_output=True, text=True, check=False, env=client.environment(), timeout=60
    )
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout


def bird(lab: client.Lab, node: str, *words: str) -> str:
    return run(lab, node, "birdc", "-s", f"/run/bird/{node}.ctl", *words)


def pools(lab: client.Lab, vantage: str, count: int, vip: str = VIP.address) -> set[str]:
    """The first three octets of the addresses that `count` new connections are seen to come from."""
    answers = run(lab, vantage, sys.executable, "-c", ASK, vip, str(count)).splitlines()
    assert len(answers) == count
    return {answer.split()[2].rsplit(".", 1)[0] for answer in answers}


@contextlib.contextmanager
def moves(lab: client.Lab, router: str) -> Iterator[Callable[[], list[str]]]:
    """Watch the routes of a router; what is given returns where its route to the VIP went so far, in order."""
    with tempfile.TemporaryFile("w+") as told:
        argv = lab.enter_argv(router, ["ip", "-o", "monitor", "route"])
        with subprocess.Popen(argv, stdout=told, env=client.environment(), start_new_session=True) as monitor:

            def ways() -> list[str]:
                told.seek(0)
                return [re.findall(r"dev (\S+)", line)[0] for line in told if line.startswith(VIP.address)]

            try:
                yield ways
            finally:
                # With the process that nsenter(1) started, which is the monitor.
                os.killpg(monitor.pid, signal.SIGKILL)


Names = tuple[str, ...]
Labs = Mapping[Names, client.Lab]


@pytest.fixture(scope="module")
def labs() -> Iterator[Labs]:
    """A lab for each of the combinations; coming up is mostly waiting for OSPF, so they do it together."""
    names = dict(enumerate((NODES_BY_BGP, PROXIES, OTHER_DAEMONS, TOO_FAST)))
    with contextlib.ExitStack() as stack, ThreadPoolExecutor() as pool:
        for number in names:
            stack.callback(client.forget, f"flavours-{number}")
        found = pool.map(lambda number: client.up(f"flavours-{number}", flavours=names[number]), names)
        yield dict(zip(names.values(), found, strict=True))


@contextlib.contextmanager
def cut(lab: client.Lab, node: str) -> Iterator[None]:
    """Take the link of a node of dc1 away, at its switch."""
    run(lab, None, "ip", "-n", "sw1", "link", "set", node, "down")
    try:
        yield
    finally:
        run(lab, None, "ip", "-n", "sw1", "link", "set", node, "up")


def ready(lab: client.Lab) -> None:
    wait_for(lambda: lab.status()["missing"] == [], 30)


def test_every_flavour_is_shown_here() -> None:
    shown = {*NODES_BY_BGP, *PROXIES, *OTHER_DAEMONS, *TOO_FAST}
    assert shown == {flavour.name for flavour in FLAVOURS}


@pytest.mark.parametrize("names", [NODES_BY_BGP, PROXIES, OTHER_DAEMONS, TOO_FAST], ids=",".join)
def test_it_is_up_healthy_and_says_what_it_is(labs: Labs, names: Names) -> None:
    lab = labs[names]
    status: dict[str, Any] = lab.status()
    assert status["missing"] == []
    assert set(status["flavours"]) == set(names)
    assert lab.inventory_file.exists()
    assert client.find(lab.name) == lab
    with pytest.raises(CallError, match=f"is up with other flavours .*{names[0]}"):
        client.up(lab.name)


def test_nodes_speak_bgp_and_the_route_is_external_in_ospf(labs: Labs) -> None:
    lab = labs[NODES_BY_BGP]
    assert lab.status()["bgp"] == dict.fromkeys(("ace1", "ace2", "ace3", "ace4"), True)
    assert re.search(
        r"\[ace[12] .*\[AS65001i\]\s+via 10\.1\.1\.10 on lan", bird(lab, "r1", "show", "route", "for", VIP.address)
    )
    assert re.search(r"\[ospf1 .* E1 .*\s+via \S+ on r1\s", bird(lab, "a1", "show", "route", "for", VIP.address))


def test_a_node_failover_moves_no_route_loses_sessions_and_is_not_taken_back(labs: Labs) -> None:
    lab = labs[NODES_BY_BGP]
    held = subprocess.Popen(
        lab.enter_argv("c1", [sys.executable, "-c", HOLD]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=client.environment(),
    )
    active = lab.status()["masters"]["dc1"][0]  # type: ignore[index]
    standby = {"ace1": "ace2", "ace2": "ace1"}[active]

    def ask() -> str:
        assert held.stdin
        assert held.stdout
        held.stdin.write("\n")
        held.stdin.flush()
        return held.stdout.readline()

    with held, moves(lab, "r1") as ways:
        assert ask().startswith("A held 10.1.100.")
        assert VIP.address in run(lab, active, "conntrack", "-L", "-d", VIP.address)
        assert run(lab, standby, "conntrack", "-L", "-d", VIP.address) == ""
        with cut(lab, active):
            wait_for(lambda: f"[{standby} " in bird(lab, "r1", "show", "route", "for", VIP.address))
            wait_for(lambda: f"[{active} " not in bird(lab, "r1", "show", "route", "for", VIP.address))
            assert pools(lab, "c1", 4) == {"10.1.100"}
            assert ask().strip() == "ConnectionResetError"
        assert set(ways()) <= {"lan"}, "no route moved to the other site"
        held.communicate()
    ready(lab)
    assert lab.status()["masters"]["dc1"] == [standby]  # type: ignore[index]


def test_the_route_stays_when_the_vip_is_dead_and_a_proxy_checks_its_servers(labs: Labs) -> None:
    lab = labs[PROXIES]
    run(lab, None, "sh", "-c", "kill -9 $(cat /run/lab/s2.reflector.pid)")
    wait_for(lambda: {tuple(pool) for pool in lab.status()["pools"].values()} == {("10.1.2.2", "10.3.2.2")})  # type: ignore[attr-defined]
    run(lab, None, "sh", "-c", "kill -9 $(cat /run/lab/s1.reflector.pid) $(cat /run/lab/s3.reflector.pid)")
    wait_for(lambda: not any(lab.status()["pools"].values()))  # type: ignore[attr-defined]
    held = subprocess.run(
        lab.enter_argv("c1", [sys.executable, "-c", HOLD]),
        input="\n",
        capture_output=True,
        text=True,
        env=client.environment(),
        timeout=20,
        check=True,
    )
    assert held.stdout.strip() in ("end", "ConnectionResetError"), "it opens, and nothing answers"
    assert lab.status()["announced_by"] == ["dc1", "dc2", "dc3"]
    for server in ("s1", "s2", "s3"):
        run(lab, None, f"/run/lab/start/{server}.reflector")
    ready(lab)


def test_a_client_reaches_every_site_where_ports_are_hashed(labs: Labs) -> None:
    lab = labs[PROXIES]
    seen: set[str] = set()

    def all_seen() -> bool:
        seen.update(pools(lab, "c1", 10))
        return seen == {"10.1.100", "10.2.100", "10.3.100"}

    wait_for(all_seen)


def test_a_client_reaches_one_site_where_addresses_are_hashed(labs: Labs) -> None:
    lab = labs[OTHER_DAEMONS]
    assert lab.status()["next_hops"] == {"a1": "r1+r2", "a2": "r1+r2"}
    assert {len(pools(lab, vantage, 20)) for vantage in ("c1", "c2", "c3", "c4")} == {1}
    ways = [
        run(lab, "a1", "ip", "route", "get", VIP.address, "from", f"10.10.1.{number}", "iif", "c1")
        for number in range(2, 30)
    ]
    assert {re.findall(r"dev (r\d)", way)[0] for way in ways} == {"r1", "r2"}


def test_frr_has_the_route_as_external(labs: Labs) -> None:
    lab = labs[OTHER_DAEMONS]
    said = run(lab, "a1", "vtysh", "--vty_socket", "/run/lab/a1.frr", "-c", "show ip ospf route json")
    assert json.loads(said)[f"{VIP.address}/32"]["routeType"] == "N E1"


def test_exabgp_withdraws_by_its_own_health_check(labs: Labs) -> None:
    lab = labs[OTHER_DAEMONS]
    assert "[ace1 " in bird(lab, "r1", "show", "route", "for", VIP.address)
    run(lab, None, "sh", "-c", "kill -9 $(cat /run/lab/s1.reflector.pid) $(cat /run/lab/s2.reflector.pid)")
    wait_for(lambda: lab.status()["announced_by"] == [])
    assert all(lab.status()["bgp"].values()), "the sessions stay"  # type: ignore[attr-defined]
    for server in ("s1", "s2"):
        run(lab, None, f"/run/lab/start/{server}.reflector")
    ready(lab)


def test_a_node_takes_back_at_once(labs: Labs) -> None:
    lab = labs[OTHER_DAEMONS]
    with cut(lab, "ace1"):
        wait_for(lambda: "10.1.1.10/" in run(lab, None, "ip", "-n", "ace2", "addr"))
    returned_s = time.monotonic()
    wait_for(lambda: "10.1.1.10/" in run(lab, None, "ip", "-n", "ace1", "addr"))
    assert time.monotonic() - returned_s < 2.5, "with the delay it waits for 3 s"
    ready(lab)


def test_too_fast_a_bfd_moves_the_route_to_the_other_site_and_back(labs: Labs) -> None:
    lab = labs[TOO_FAST]
    assert re.search(r"10\.1\.1\.11\s+lan\s+Up\s+\S+\s+0\.050\s", bird(lab, "r1", "show", "bfd", "sessions"))
    with moves(lab, "r1") as ways, cut(lab, "ace1"):
        wait_for(lambda: "[ace2 " in bird(lab, "r1", "show", "route", "for", VIP.address))
        wait_for(lambda: ways()[-1:] == ["lan"])
        assert [way for way in ways() if way != "lan"], "for a while it went to the other site"
    ready(lab)


def test_the_second_vip_has_a_route_of_its_own(labs: Labs) -> None:
    lab = labs[TOO_FAST]
    assert pools(lab, "c1", 2, VIP2.address) == {"10.1.100"}
    bird(lab, "ace1", "disable", VIP2.protocol)
    wait_for(lambda: lab.status()["announcers"] == {"vip": ["dc1", "dc2"], "vip2": ["dc2"]})
    assert pools(lab, "c1", 2, VIP.address) == {"10.1.100"}
    wait_for(lambda: pools(lab, "c1", 2, VIP2.address) == {"10.2.100"})
    bird(lab, "ace1", "enable", VIP2.protocol)
    ready(lab)
