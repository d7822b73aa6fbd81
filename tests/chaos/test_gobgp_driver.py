"""The driver `gobgp` on a GoBGP whose peer is a BIRD, which sees paths go and come back as they were."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chaos.driver import Term
from chaos.transport import at
from tests.chaos import peering
from tests.chaos.as_planned import DRIVERS
from tests.waiting import wait_for

DRIVER = DRIVERS["gobgp"]
TERM = Term("one.fault", 0)
CONFIGURATION = f"""
[global.config]
  as = {peering.BOX_AS}
  router-id = "{peering.BOX}"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "{peering.PEER}"
    peer-as = {peering.PEER_AS}
  [neighbors.timers.config]
    connect-retry = 1
    hold-time = 9
    idle-hold-time-after-reset = 1
"""
ATTRIBUTES = ["origin", "egp", "aspath", "65009", "nexthop", "10.9.0.2", "med", "50", "community", "65001:80,65001:81"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[peering.Pair]:
    """A GoBGP that announces the route with many attributes."""
    directory = tmp_path_factory.mktemp("gobgp")
    (directory / "gobgpd.toml").write_text(CONFIGURATION)
    command = ["gobgpd", "-f", str(directory / "gobgpd.toml"), "--api-hosts", "127.0.0.1:50051", "--pprof-disable"]
    with (
        peering.pair(directory, peering.BGP) as pair,
        peering.running(pair.box, command, directory / "gobgpd.log"),
    ):
        wait_for(lambda: gobgp(pair, "global", "rib", "add", "-a", "ipv4", peering.VIP, *ATTRIBUTES), 10)
        wait_for(pair.seen, 20)
        yield pair


def gobgp(pair: peering.Pair, *words: str) -> bool:
    return at(pair.box).do(["gobgp", *words]).code == 0


def attributes(pair: peering.Pair) -> str:
    """Return the attributes at the peer, without the time and the state that come first."""
    return pair.seen().partition("BGP.")[2]


def test_a_path_is_withdrawn_and_put_back_as_it_was(pair: peering.Pair) -> None:
    target = at(pair.box)
    arguments: dict[str, object] = {"port": 50051, "action": "withdraw", "prefix": peering.VIP}
    before = attributes(pair)
    assert "egp" in before.lower()
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior == {"attributes": ATTRIBUTES}
    assert DRIVER.is_out(target, arguments, prior)[0] is False
    for _ in range(2):
        assert DRIVER.inject(target, arguments, prior).code == 0
        assert DRIVER.is_out(target, arguments, prior)[0] is True
    wait_for(lambda: not pair.seen(), 5)
    assert DRIVER.prior(target, arguments, TERM) is None, "what is out already is not ours"
    for _ in range(2):
        assert DRIVER.revert(target, arguments, prior).code == 0
        assert DRIVER.is_out(target, arguments, prior)[0] is False
    wait_for(pair.seen, 5)
    assert attributes(pair) == before


def test_a_path_that_another_has_changed_is_left_alone(pair: peering.Pair) -> None:
    target = at(pair.box)
    arguments: dict[str, object] = {"port": 50051, "action": "withdraw", "prefix": "192.0.2.82/32"}
    assert gobgp(pair, "global", "rib", "add", "-a", "ipv4", "192.0.2.82/32", "nexthop", "10.9.0.2", "med", "9")
    assert "is not as it was" in DRIVER.inject(target, arguments, {"attributes": ATTRIBUTES}).words
    assert DRIVER.revert(target, arguments, {"attributes": ATTRIBUTES}).code == 0
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior == {"attributes": ["origin", "incomplete", "nexthop", "10.9.0.2", "med", "9"]}
    assert gobgp(pair, "global", "rib", "del", "-a", "ipv4", "192.0.2.82/32")
    odd = ["nexthop", "10.9.0.2", "rt", "65001:1"]
    assert gobgp(pair, "global", "rib", "add", "-a", "ipv4", "192.0.2.82/32", *odd)
    assert DRIVER.prior(target, arguments, TERM) is None, "an extended community could not be put back"
    assert gobgp(pair, "global", "rib", "del", "-a", "ipv4", "192.0.2.82/32")


def test_a_path_is_announced_and_withdrawn(pair: peering.Pair) -> None:
    target, prefix = at(pair.box), "192.0.2.81/32"
    arguments: dict[str, object] = {
        "port": 50051,
        "action": "announce",
        "prefix": prefix,
        "next_hop": "10.9.0.2",
        "med": 7,
        "communities": ("65001:80", "65001:79"),
    }
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior == {"attributes": []}
    for _ in range(2):
        assert DRIVER.inject(target, arguments, prior).code == 0
        assert DRIVER.is_out(target, arguments, prior)[0] is True
    wait_for(lambda: "BGP.med: 7 " in pair.seen(prefix), 5)
    assert "(65001,79)" in pair.seen(prefix)
    assert DRIVER.prior(target, arguments, TERM) is None
    assert DRIVER.prior(target, arguments | {"prefix": peering.VIP}, TERM) is None, "another announces it"
    assert DRIVER.revert(target, arguments | {"med": 8}, prior).code == 0
    assert DRIVER.is_out(target, arguments, prior)[0] is True, "what is announced otherwise is not ours"
    for _ in range(2):
        assert DRIVER.revert(target, arguments, prior).code == 0
        assert DRIVER.is_out(target, arguments, prior)[0] is False
    wait_for(lambda: not pair.seen(prefix), 5)


def test_a_neighbor_is_disabled_and_enabled(pair: peering.Pair) -> None:
    target = at(pair.box)
    arguments: dict[str, object] = {"port": 50051, "action": "disable-neighbor", "neighbor": peering.PEER}
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior == {}
    for _ in range(2):
        assert DRIVER.inject(target, arguments, prior).code == 0
        wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is True, 5)
    wait_for(lambda: not pair.seen(), 5)
    assert DRIVER.prior(target, arguments, TERM) is None
    for _ in range(2):
        assert DRIVER.revert(target, arguments, prior).code == 0
        assert DRIVER.is_out(target, arguments, prior)[0] is False
    wait_for(pair.seen, 30)


def test_what_gobgp_refuses_or_does_not_know(pair: peering.Pair) -> None:
    target = at(pair.box)
    nowhere: dict[str, object] = {"port": 50052, "action": "withdraw", "prefix": peering.VIP}
    assert DRIVER.prior(target, nowhere, TERM) is None
    assert DRIVER.is_out(target, nowhere, {})[0] is None
    assert DRIVER.inject(target, nowhere, {"attributes": ATTRIBUTES}).code == -1
    assert DRIVER.revert(target, nowhere, {"attributes": ATTRIBUTES}).code == -1
    learned: dict[str, object] = {"port": 50051, "action": "withdraw", "prefix": peering.LEARNED}
    shown = at(pair.box).look(["gobgp", "-j", "global", "rib", "-a", "ipv4", peering.LEARNED]).out
    assert "65100" in shown
    assert DRIVER.prior(target, learned, TERM) is None, "a path that is not its own"
    stranger: dict[str, object] = {"port": 50051, "action": "disable-neighbor", "neighbor": "10.9.0.77"}
    assert DRIVER.prior(target, stranger, TERM) is None
    assert DRIVER.is_out(target, stranger, {})[0] is None
    assert DRIVER.inject(target, stranger, {}).code != 0
