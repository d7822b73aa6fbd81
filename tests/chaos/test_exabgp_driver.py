"""The driver `exabgp` on an ExaBGP whose peer is a BIRD, which sees routes go and come back as they were."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.driver import Term
from chaos.drivers.exabgp import SPEAK
from chaos.transport import Reply, at
from tests.chaos import peering
from tests.chaos.as_planned import DRIVERS
from tests.waiting import wait_for

DRIVER = DRIVERS["exabgp"]
TERM = Term("one.fault", 0)
MANY = "192.0.2.90/32"
OTHERS = "large-community [ 1:2:3 4:5:6 ] extended-community [ target:65001:1 ] atomic-aggregate"
CONFIGURATION = f"""
neighbor {peering.PEER} {{
  router-id {peering.BOX};
  local-address {peering.BOX};
  local-as {peering.BOX_AS};
  peer-as {peering.PEER_AS};
  hold-time 9;
  static {{
    route {peering.VIP} next-hop self med 100 origin egp community [ 65001:80 65001:81 ];
    route {MANY} next-hop 10.9.0.3 as-path [ 65009 65008 ] community [ 65001:9 no-export no-peer ] {OTHERS};
  }}
}}
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[peering.Pair]:
    """An ExaBGP that announces two routes."""
    directory = tmp_path_factory.mktemp("exabgp")
    (directory / "exabgp.conf").write_text(CONFIGURATION)
    # Where ExaBGP and its own client look for the pipes, by the environment.
    name = f"vipchaos{os.getpid()}"
    pipes = [Path("/run") / f"{name}.{way}" for way in ("in", "out")]
    environment = {
        "exabgp.api.pipename": name,
        "exabgp.daemon.user": "root",
        "exabgp.daemon.drop": "false",
        "exabgp.tcp.bind": "",
        "exabgp.log.destination": "stdout",
    }
    try:
        for pipe in pipes:
            os.mkfifo(pipe, 0o600)
        with (
            peering.pair(directory, peering.BGP) as pair,
            peering.running(
                pair.box, ["exabgp", str(directory / "exabgp.conf")], directory / "exabgp.log", environment
            ),
        ):
            wait_for(pair.seen, 20)
            wait_for(lambda: say(pair, "show neighbor summary").code == 0, 10)  # the pipes' reader starts later
            yield pair
    finally:
        for pipe in pipes:
            pipe.unlink(missing_ok=True)


def of(**more: object) -> dict[str, object]:
    return {"pipe": f"/run/vipchaos{os.getpid()}", "action": "withdraw", "prefix": peering.VIP, **more}


def say(pair: peering.Pair, command: str) -> Reply:
    return at(pair.box).do(["python3", "-IS", "-c", SPEAK, str(of()["pipe"]), command])


def attributes(pair: peering.Pair, prefix: str) -> str:
    """Return the attributes at the peer, without the time and the state that come first."""
    return pair.seen(prefix).partition("BGP.")[2]


@pytest.mark.parametrize(
    ("prefix", "some"),
    [
        (peering.VIP, ("EGP", "med: 100", "(65001,80)", "(65001,81)")),
        (MANY, ("65009 65008", "(65535,65281)", "(4, 5, 6)", "(rt, 65001, 1)", "atomic_aggr")),
    ],
)
def test_a_route_is_withdrawn_and_put_back_as_it_was(pair: peering.Pair, prefix: str, some: tuple[str, ...]) -> None:
    target, arguments = at(pair.box), of(prefix=prefix)
    before = attributes(pair, prefix)
    assert all(each in before for each in some)
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior is not None
    assert list(prior["routes"]) == [peering.PEER]  # type: ignore[call-overload]
    assert DRIVER.is_out(target, arguments, prior)[0] is False
    for _ in range(2):
        assert DRIVER.inject(target, arguments, prior).code == 0
        wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is True, 5)
    wait_for(lambda: not pair.seen(prefix), 5)
    assert pair.seen(MANY if prefix == peering.VIP else peering.VIP)
    assert DRIVER.prior(target, arguments, TERM) is None, "what is out already is not ours"
    for _ in range(2):
        assert DRIVER.revert(target, arguments, prior).code == 0
        wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is False, 5)
    wait_for(lambda: attributes(pair, prefix) == before, 5)
    assert DRIVER.prior(target, arguments, TERM) == prior


def test_a_route_that_another_has_changed_is_left_alone(pair: peering.Pair) -> None:
    target, arguments, prefix = at(pair.box), of(prefix=MANY), MANY
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior is not None
    assert say(pair, f"announce route {prefix} next-hop 10.9.0.3 med 9").code == 0
    wait_for(lambda: "BGP.med: 9" in pair.seen(prefix), 5)
    assert "has another route now" in DRIVER.inject(target, arguments, prior).words
    assert DRIVER.revert(target, arguments, prior).code == 0
    assert "BGP.med: 9" in pair.seen(prefix)
    assert DRIVER.is_out(target, arguments, prior)[0] is False


def test_a_route_is_announced_and_withdrawn(pair: peering.Pair) -> None:
    target, prefix = at(pair.box), "192.0.2.81/32"
    arguments = of(
        action="announce",
        prefix=prefix,
        neighbor=peering.PEER,
        next_hop="10.9.0.2",
        med=7,
        communities=("65001:80", "65001:79", "65535:666"),
    )
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior == {"routes": {peering.PEER: ""}}
    assert DRIVER.is_out(target, arguments, prior)[0] is False
    for _ in range(2):
        assert DRIVER.inject(target, arguments, prior).code == 0
        wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is True, 5)
    wait_for(lambda: "BGP.med: 7 " in pair.seen(prefix), 5)
    assert all(each in pair.seen(prefix) for each in ("(65001,79)", "(65535,666)"))
    assert DRIVER.prior(target, arguments, TERM) is None
    assert DRIVER.prior(target, arguments | {"prefix": peering.VIP}, TERM) is None, "another announces it"
    assert DRIVER.revert(target, arguments | {"med": 8}, prior).code == 0
    assert DRIVER.is_out(target, arguments, prior)[0] is True, "what is announced otherwise is not ours"
    for _ in range(2):
        assert DRIVER.revert(target, arguments, prior).code == 0
        wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is False, 5)
    wait_for(lambda: not pair.seen(prefix), 5)


def test_what_exabgp_refuses_or_does_not_know(pair: peering.Pair) -> None:
    target = at(pair.box)
    assert DRIVER.prior(target, of(prefix="192.0.2.99/32"), TERM) is None, "there is nothing to withdraw"
    assert DRIVER.prior(target, of(neighbor="10.9.0.77"), TERM) is None
    refused = say(pair, "announce route nonsense")
    assert (refused.code, refused.error.strip()) == (1, "error")
    nowhere = of(pipe="/no/such/pipe")
    assert DRIVER.prior(target, nowhere, TERM) is None
    assert DRIVER.is_out(target, nowhere, {"routes": {peering.PEER: "x"}})[0] is None
    assert DRIVER.inject(target, nowhere, {"routes": {peering.PEER: "x"}}).code == -1
    assert DRIVER.revert(target, nowhere, {"routes": {peering.PEER: "x"}}).code == -1


def test_an_announcement_that_no_session_carries_is_unknown(pair: peering.Pair) -> None:
    target = at(pair.box)
    arguments = of(action="announce", prefix="192.0.2.82/32", next_hop="10.9.0.2")
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior is not None
    birdc = ["birdc", "-s", str(pair.directory / "peer.ctl")]
    assert at(pair.peer).do([*birdc, "disable", "box"]).code == 0
    wait_for(lambda: "established" not in say(pair, "show neighbor summary").out, 10)
    assert DRIVER.inject(target, arguments, prior).code == 0
    assert DRIVER.is_out(target, arguments, prior)[0] is None
    assert at(pair.peer).do([*birdc, "enable", "box"]).code == 0
    wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is True, 20)
    assert DRIVER.revert(target, arguments, prior).code == 0
    wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is False, 5)
