"""The driver `frr` on the daemons of FRR, in a namespace and with directories of their own; the peer is a BIRD."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.driver import Term
from chaos.drivers import frr as frr_driver
from chaos.transport import at
from tests.chaos import peering
from tests.chaos.as_planned import DRIVERS
from tests.waiting import wait_for

DRIVER = DRIVERS["frr"]
TERM = Term(f"{'e' * 63}-abcdef.{'f' * 63}", 0)  # as long as names may be
PROGRAMS = "/usr/lib/frr"
# `ip netns exec` gives mounts of its own: what FRR keeps in /run and /var/tmp is gone with it.
AWAY = 'mount -t tmpfs none /run && mkdir -m 777 /run/frr && mount -t tmpfs -o mode=1777 none /var/tmp && exec "$@"'
LOCAL = "192.0.2.90/32"
CONFIGURATION = f"""
interface wire
 ip ospf cost 20
 ip ospf network point-to-point
 ip ospf hello-interval 1
 ip ospf dead-interval 4
exit
ip route {peering.VIP} blackhole
ip route {LOCAL} blackhole 200
router bgp {peering.BOX_AS}
 bgp router-id {peering.BOX}
 no bgp ebgp-requires-policy
 neighbor {peering.PEER} remote-as {peering.PEER_AS}
 neighbor {peering.PEER} timers 3 9
 neighbor {peering.PEER} timers connect 1
 neighbor {peering.PEER} advertisement-interval 0
 address-family ipv4 unicast
  network {peering.VIP} route-map med
  network {LOCAL}
 exit-address-family
exit
route-map med permit 10
 set metric 50
exit
"""
OSPF = f"""
interface wire
 ip ospf cost 20
 ip ospf network point-to-point
 ip ospf hello-interval 1
 ip ospf dead-interval 4
exit
ip route {peering.VIP} blackhole
router ospf
 ospf router-id {peering.BOX}
 redistribute static metric 100 metric-type 1
 network 10.9.0.0/24 area 0
exit
"""


@contextlib.contextmanager
def frr(pair: peering.Pair, configuration: str, *daemons: str) -> Iterator[Path]:
    """Run FRR's daemons; yield the directory of their sockets, which their user, frr, must be able to write to."""
    directory = Path("/tmp") / pair.box.target
    directory.mkdir(mode=0o700)
    try:
        (directory / "frr.conf").write_text(configuration)
        for path in (directory, directory / "frr.conf"):
            shutil.chown(path, "frr", "frr")
        with contextlib.ExitStack() as stack:
            for daemon in ("zebra", "staticd", *daemons):
                files = ["-f", "/dev/null", "-i", f"{directory}/{daemon}.pid", "-z", f"{directory}/zserv.api"]
                command = [f"{PROGRAMS}/{daemon}", *files, "--vty_socket", str(directory), "--log", "stdout"]
                log = pair.directory / f"{daemon}.log"
                stack.enter_context(peering.running(pair.box, ["sh", "-c", AWAY, "sh", *command], log))
                wait_for((directory / f"{daemon}.vty").exists, 5)
            loaded = at(pair.box).do(["vtysh", "--vty_socket", str(directory), "-f", f"{directory}/frr.conf"])
            assert loaded.code == 0, loaded.words
            yield directory
    finally:
        shutil.rmtree(directory)


@pytest.fixture(scope="module")
def by_bgp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[peering.Pair, Path]]:
    """An FRR that announces two routes by BGP, one of which has a MED by a route-map."""
    with (
        peering.pair(tmp_path_factory.mktemp("frr"), peering.BGP) as pair,
        frr(pair, CONFIGURATION, "bgpd") as sockets,
    ):
        wait_for(lambda: "BGP.med: 50" in pair.seen() and pair.seen(LOCAL), 20)
        yield pair, sockets


@pytest.fixture(scope="module")
def by_ospf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[peering.Pair, Path]]:
    """An FRR that announces a static route by OSPF as E1 with metric 100; the peer's own cost to it is 10."""
    with (
        peering.pair(tmp_path_factory.mktemp("frr"), peering.OSPF) as pair,
        frr(pair, OSPF, "ospfd") as sockets,
    ):
        wait_for(lambda: "OSPF.metric1: 110 " in pair.seen(), 30)
        yield pair, sockets


def vtysh(pair: peering.Pair, sockets: Path, *commands: str) -> str:
    words = [word for command in commands for word in ("-c", command)]
    return at(pair.box).do(["vtysh", "--vty_socket", str(sockets), *words]).out


def running(pair: peering.Pair, sockets: Path) -> str:
    return vtysh(pair, sockets, "show running-config")


BGP_FAULTS: list[tuple[dict[str, object], list[str]]] = [
    ({"action": "shutdown-neighbor", "asn": peering.BOX_AS, "neighbor": peering.PEER}, []),
    (
        {"action": "withdraw-network", "asn": peering.BOX_AS, "prefix": peering.VIP},
        [f"network {peering.VIP} route-map med"],
    ),
    ({"action": "withdraw-static", "prefix": LOCAL}, [f"ip route {LOCAL} blackhole 200"]),
]


@pytest.mark.parametrize(("fault", "lines"), BGP_FAULTS, ids=[str(fault["action"]) for fault, _ in BGP_FAULTS])
def test_a_route_goes_and_comes_back(
    by_bgp: tuple[peering.Pair, Path], fault: dict[str, object], lines: list[str]
) -> None:
    pair, sockets = by_bgp
    target, arguments = at(pair.box), {"vty_socket": str(sockets), **fault}
    route = LOCAL if fault["action"] == "withdraw-static" else peering.VIP
    before, seen = running(pair, sockets), attributes(pair, route)
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior is not None
    assert prior["lines"] == lines
    assert DRIVER.is_out(target, arguments, prior)[0] is False
    for _ in range(2):
        assert DRIVER.inject(target, arguments, prior).code == 0
        wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is True, 5)
    wait_for(lambda: not pair.seen(route), 5)
    assert DRIVER.prior(target, arguments, TERM) is None, "what is out already is not ours"
    for _ in range(2):
        assert DRIVER.revert(target, arguments, prior).code == 0
        wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is False, 5)
    wait_for(lambda: attributes(pair, route) == seen, 20)
    assert running(pair, sockets) == before


def attributes(pair: peering.Pair, route: str) -> str:
    """Return the attributes at the peer, without the time and the state that come first."""
    return pair.seen(route).partition("BGP.")[2]


OSPF_FAULTS: list[tuple[dict[str, object], list[str]]] = [
    ({"action": "interface-cost", "interface": "wire", "cost": 500}, ["ip ospf cost 20"]),
    (
        {"action": "redistributed-metric", "source": "static", "metric": 5000, "prefix": peering.VIP},
        ["redistribute static metric 100 metric-type 1"],
    ),
]


@pytest.mark.parametrize(("fault", "lines"), OSPF_FAULTS, ids=[str(fault["action"]) for fault, _ in OSPF_FAULTS])
def test_a_cost_is_raised_and_put_back(
    by_ospf: tuple[peering.Pair, Path], fault: dict[str, object], lines: list[str]
) -> None:
    pair, sockets = by_ospf
    target, arguments = at(pair.box), {"vty_socket": str(sockets), **fault}
    before = running(pair, sockets)
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior is not None
    assert prior["lines"] == lines
    assert DRIVER.is_out(target, arguments, prior)[0] is False
    for _ in range(2):
        assert DRIVER.inject(target, arguments, prior).code == 0
        wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is True, 10)
    after = "110 " if fault["action"] == "interface-cost" else "5010 "  # a cost is that of the way out
    wait_for(lambda: f"OSPF.metric1: {after}" in pair.seen(), 10)
    assert DRIVER.prior(target, arguments, TERM) is None, "what is out already is not ours"
    for _ in range(2):
        assert DRIVER.revert(target, arguments, prior).code == 0
        wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is False, 10)
    wait_for(lambda: "OSPF.metric1: 110 " in pair.seen(), 20)
    assert running(pair, sockets) == before


def test_a_cost_that_was_not_set_is_not_set_afterwards(by_ospf: tuple[peering.Pair, Path]) -> None:
    pair, sockets = by_ospf
    target = at(pair.box)
    arguments: dict[str, object] = {
        "vty_socket": str(sockets),
        "action": "interface-cost",
        "interface": "wire",
        "cost": 500,
    }
    section = ("configure terminal", "interface wire")
    vtysh(pair, sockets, *section, "no ip ospf cost")
    before = running(pair, sockets)
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior == {"lines": [], "fault": ["ip ospf cost 500"]}
    assert DRIVER.inject(target, arguments, prior).code == 0
    wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is True, 10)
    assert DRIVER.revert(target, arguments, prior).code == 0
    assert running(pair, sockets) == before
    vtysh(pair, sockets, *section, f"ip ospf cost 30 {peering.BOX}")
    assert DRIVER.prior(target, arguments, TERM) is None, "a cost of one address"
    vtysh(pair, sockets, *section, f"no ip ospf cost {peering.BOX}", "ip ospf cost 20")


def test_several_routes_half_withdrawn_are_put_back(by_bgp: tuple[peering.Pair, Path]) -> None:
    pair, sockets = by_bgp
    target = at(pair.box)
    arguments: dict[str, object] = {"vty_socket": str(sockets), "action": "withdraw-static", "prefix": "192.0.2.91/32"}
    routes = ["ip route 192.0.2.91/32 10.9.0.7", "ip route 192.0.2.91/32 10.9.0.8"]
    vtysh(pair, sockets, "configure terminal", *routes)
    before = running(pair, sockets)
    wait_for(lambda: DRIVER.prior(target, arguments, TERM), 5)
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior == {"lines": routes, "fault": []}
    vtysh(pair, sockets, "configure terminal", f"no {routes[0]}")  # killed before the second
    assert DRIVER.is_out(target, arguments, prior)[0] is None
    assert DRIVER.inject(target, arguments, prior).code == 0
    wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is True, 5)
    vtysh(pair, sockets, "configure terminal", routes[1])  # killed before the second
    assert DRIVER.revert(target, arguments, prior).code == 0
    assert DRIVER.is_out(target, arguments, prior)[0] is False
    assert running(pair, sockets) == before
    vtysh(pair, sockets, "configure terminal", *(f"no {route}" for route in routes))


def test_what_another_has_changed_is_left_alone(by_bgp: tuple[peering.Pair, Path]) -> None:
    pair, sockets = by_bgp
    target = at(pair.box)
    arguments: dict[str, object] = {
        "vty_socket": str(sockets),
        "action": "shutdown-neighbor",
        "asn": peering.BOX_AS,
        "neighbor": peering.PEER,
    }
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior is not None
    before = running(pair, sockets)
    section = ("configure terminal", f"router bgp {peering.BOX_AS}")
    vtysh(pair, sockets, *section, f"neighbor {peering.PEER} shutdown message maintenance")
    changed = running(pair, sockets)
    assert changed != before
    assert DRIVER.prior(target, arguments, TERM) is None
    assert "is not as it was" in DRIVER.inject(target, arguments, prior).words
    assert DRIVER.revert(target, arguments, prior).code == 0
    assert DRIVER.is_out(target, arguments, prior)[0] is False, "not ours"
    assert running(pair, sockets) == changed
    vtysh(pair, sockets, *section, f"no neighbor {peering.PEER} shutdown")
    wait_for(lambda: attributes(pair, peering.VIP), 20)
    assert running(pair, sockets) == before


def test_what_frr_refuses_or_does_not_know(by_bgp: tuple[peering.Pair, Path]) -> None:
    pair, sockets = by_bgp
    target = at(pair.box)
    common: dict[str, object] = {"vty_socket": str(sockets), "asn": peering.BOX_AS}
    before = running(pair, sockets)
    for wrong in (
        {"action": "shutdown-neighbor", "neighbor": "10.9.0.77"},
        {"action": "withdraw-network", "prefix": "192.0.2.99/32"},
        {"action": "withdraw-network", "prefix": peering.VIP, "asn": 65002},
        {"action": "withdraw-static", "prefix": "192.0.2.99/32"},
        {"action": "interface-cost", "interface": "nothing", "cost": 5},
        {"action": "redistributed-metric", "source": "static", "metric": 5, "prefix": peering.VIP},
        {"action": "withdraw-network", "prefix": peering.VIP, "vty_socket": "/no/such/directory"},
    ):
        assert DRIVER.prior(target, common | wrong, TERM) is None, wrong
    stranger = common | {"action": "shutdown-neighbor", "neighbor": "10.9.0.77"}
    prior: dict[str, object] = {"lines": [], "fault": ["neighbor 10.9.0.77 shutdown message vipchaos one"]}
    reply = DRIVER.inject(target, stranger, prior)
    assert (reply.code, "% Specify remote-as" in reply.out) == (1, True)
    argv = frr_driver._vtysh(common, "configure terminal", "no ip route 192.0.2.99/32 blackhole")
    assert target.do(argv).code == 0, "this is why"
    assert frr_driver._do(target, argv).code == 1
    assert running(pair, sockets) == before
