"""What the drivers of routing daemons say that they would do, before anything is asked."""

from __future__ import annotations

import pytest

from chaos.drivers import DECLARED, DRIVERS

BIRD = {
    "socket": "/run/r1.ctl",
    "protocol": "ospf1",
    "file": "/etc/chaos.conf",
    "metric": 500,
    "prefix": "192.0.2.80/32",
}
ROUTE = {
    "prefix": "192.0.2.80/32",
    "next_hop": "10.9.0.2",
    "med": 7,
    "communities": ("65001:80",),
    "neighbor": "10.9.0.1",
}
FRR = ROUTE | {"vty_socket": "/run/frr", "asn": 65001, "interface": "eth0", "cost": 5, "source": "static", "metric": 9}
PIPE = "python3 -IS -c <what speaks over the pipe> /run/exabgp"
SED, GOBGP = "sed -i --follow-symlinks", "gobgp -u 127.0.0.1 -p 50051"
OSPF = "-c router ospf -c redistribute static"
SAID = [
    ("bird", BIRD, "disable", "birdc -s /run/r1.ctl disable ospf1", "birdc -s /run/r1.ctl enable ospf1"),
    (
        "bird",
        BIRD,
        "metric",
        f"{SED} 1s/.*/define <constant> = 500;/ /etc/chaos.conf; birdc -s /run/r1.ctl configure",
        f"{SED} 1s/.*/define <constant> = <value of before>;/ /etc/chaos.conf; birdc -s /run/r1.ctl configure",
    ),
    (
        "exabgp",
        ROUTE | {"pipe": "/run/exabgp"},
        "withdraw",
        f"{PIPE} neighbor 10.9.0.1 withdraw route 192.0.2.80/32",
        f"{PIPE} neighbor 10.9.0.1 announce route 192.0.2.80/32 <attributes of before>",
    ),
    (
        "exabgp",
        {"pipe": "/run/exabgp", "prefix": "192.0.2.80/32", "next_hop": "10.9.0.2"},
        "announce",
        f"{PIPE} neighbor <each> announce route 192.0.2.80/32 next-hop 10.9.0.2",
        f"{PIPE} neighbor <each> withdraw route 192.0.2.80/32",
    ),
    (
        "gobgp",
        ROUTE | {"port": 50051},
        "withdraw",
        f"{GOBGP} global rib del -a ipv4 192.0.2.80/32",
        f"{GOBGP} global rib add -a ipv4 192.0.2.80/32 <attributes of before>",
    ),
    (
        "gobgp",
        ROUTE | {"port": 50051, "prefix": "2001:db8::80/128"},
        "announce",
        f"{GOBGP} global rib add -a ipv6 2001:db8::80/128 origin igp nexthop 10.9.0.2 med 7 community 65001:80",
        f"{GOBGP} global rib del -a ipv6 2001:db8::80/128",
    ),
    (
        "gobgp",
        ROUTE | {"port": 50051},
        "disable-neighbor",
        f"{GOBGP} neighbor 10.9.0.1 disable",
        f"{GOBGP} neighbor 10.9.0.1 enable",
    ),
    (
        "frr",
        FRR,
        "shutdown-neighbor",
        "-c router bgp 65001 -c neighbor 10.9.0.1 shutdown message vipchaos <lease>",
        "-c router bgp 65001 -c no neighbor 10.9.0.1 shutdown message vipchaos <lease>",
    ),
    (
        "frr",
        FRR,
        "withdraw-network",
        "-c router bgp 65001 -c address-family ipv4 unicast -c <no network 192.0.2.80/32 ..., each>",
        "-c router bgp 65001 -c address-family ipv4 unicast -c <network 192.0.2.80/32 ..., each>",
    ),
    (
        "frr",
        FRR | {"prefix": "2001:db8::80/128"},
        "withdraw-static",
        "-c <no ipv6 route 2001:db8::80/128 ..., each>",
        "-c <ipv6 route 2001:db8::80/128 ..., each>",
    ),
    (
        "frr",
        FRR,
        "interface-cost",
        "-c interface eth0 -c ip ospf cost 5",
        "-c interface eth0 -c <ip ospf cost of before, or no ip ospf cost 5>",
    ),
    ("frr", FRR, "redistributed-metric", f"{OSPF} metric 9<its other words>", f"{OSPF}<its other words>"),
]


@pytest.mark.parametrize(
    ("driver", "arguments", "action", "inject", "revert"), SAID, ids=[f"{s[0]}-{s[2]}" for s in SAID]
)
def test_what_would_be_done(driver: str, arguments: dict[str, object], action: str, inject: str, revert: str) -> None:
    commands = DRIVERS[driver].commands(arguments | {"action": action})
    start = "vtysh --vty_socket /run/frr -c configure terminal " if driver == "frr" else ""
    assert "; ".join(" ".join(argv) for argv in commands.inject) == start + inject
    assert "; ".join(" ".join(argv) for argv in commands.revert) == start + revert
    assert commands.prove


def test_each_action_is_shown() -> None:
    for driver in {said[0] for said in SAID}:
        assert {said[2] for said in SAID if said[0] == driver} == set(DECLARED[driver].arguments["action"].choices)
