"""The driver `bird` on a BIRD that announces a route to another one: by BGP, and by OSPF."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.driver import Term
from chaos.transport import Target, Untouched, at
from tests.chaos import peering
from tests.chaos.as_planned import DRIVERS
from tests.waiting import wait_for

DRIVER = DRIVERS["bird"]
TERM = Term("one.fault", 0)
COMMON = """log stderr all;
router id 10.9.0.2;
include "{directory}/metric.conf";
protocol device {{ scan time 1; }}
protocol static rhi {{ ipv4; route 192.0.2.80/32 blackhole; }}
"""
BGP = (
    COMMON
    + """protocol bgp up {{
  local 10.9.0.2 as 65001;
  neighbor 10.9.0.1 as 65100;
  direct;
  connect delay time 1; connect retry time 1; error wait time 1, 1;
  ipv4 {{ import none; export filter {{ if proto = "rhi" then {{ bgp_med = 50 + chaos_metric; accept; }} reject; }}; }};
}}
"""
)
OSPF = (
    COMMON
    + """protocol ospf v2 up {{
  tick 1;
  ipv4 {{
    import none;
    export filter {{ if proto = "rhi" then {{ ospf_metric1 = 50 + chaos_metric; accept; }} reject; }};
  }};
  area 0 {{ interface "wire" {{ type ptp; hello 1; dead count 4; retransmit 2; cost 10; }}; }};
}}
"""
)


@pytest.fixture
def by_bgp(tmp_path: Path) -> Iterator[peering.Pair]:
    """A BIRD that announces the route with MED 50 + chaos_metric."""
    with announced(tmp_path, peering.BGP, BGP, "BGP.med: 50") as pair:
        yield pair


@contextlib.contextmanager
def announced(directory: Path, peer: str, configuration: str, attribute: str) -> Iterator[peering.Pair]:
    (directory / "metric.conf").write_text("define chaos_metric = 0;\n")
    with (
        peering.pair(directory, peer) as pair,
        peering.bird(pair.box, directory, "box", configuration.format(directory=directory)),
    ):
        wait_for(lambda: attribute in pair.seen(), 20)
        yield pair


def of_metric(pair: peering.Pair) -> dict[str, object]:
    return {
        "socket": pair.ctl(),
        "protocol": "up",
        "action": "metric",
        "file": str(pair.directory / "metric.conf"),
        "metric": 500,
        "prefix": peering.VIP,
    }


@pytest.mark.parametrize(
    ("peer", "configuration", "before", "after", "announced_before"),
    [
        (peering.BGP, BGP, "BGP.med: 50 ", "BGP.med: 550 ", "BGP.med: 50"),
        (peering.OSPF, OSPF, "OSPF.metric1: 60 ", "OSPF.metric1: 560 ", "metric 50"),
    ],
    ids=["bgp", "ospf"],
)
def test_a_metric_is_raised_and_put_back(
    tmp_path: Path, peer: str, configuration: str, before: str, after: str, announced_before: str
) -> None:
    with announced(tmp_path, peer, configuration, before) as pair:
        target, arguments, file = at(pair.box), of_metric(pair), tmp_path / "metric.conf"
        prior = DRIVER.prior(target, arguments, TERM)
        assert prior is not None
        assert (prior["constant"], prior["value"]) == ("chaos_metric", "0")
        assert announced_before in str(prior["announced"])
        assert DRIVER.is_out(target, arguments, prior)[0] is False
        for _ in range(2):
            assert DRIVER.inject(target, arguments, prior).code == 0
            wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is True, 10)
        wait_for(lambda: after in pair.seen(), 10)
        assert file.read_text() == "define chaos_metric = 500;\n"
        assert DRIVER.prior(target, arguments, TERM) is None, "what is out already is not ours"
        for _ in range(2):
            assert DRIVER.revert(target, arguments, prior).code == 0
            wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is False, 10)
        wait_for(lambda: before in pair.seen(), 10)
        assert file.read_text() == "define chaos_metric = 0;\n"


def test_a_metric_half_injected_is_injected_and_half_reverted_is_reverted(by_bgp: peering.Pair) -> None:
    target, arguments, file = at(by_bgp.box), of_metric(by_bgp), by_bgp.directory / "metric.conf"
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior is not None
    file.write_text("define chaos_metric = 500;\n")  # killed before `configure`
    assert DRIVER.is_out(target, arguments, prior)[0] is None
    assert DRIVER.inject(target, arguments, prior).code == 0
    wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is True, 5)
    file.write_text("define chaos_metric = 0;\n")  # killed before `configure`
    assert DRIVER.is_out(target, arguments, prior)[0] is None
    assert DRIVER.revert(target, arguments, prior).code == 0
    wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is False, 5)
    wait_for(lambda: "BGP.med: 50 " in by_bgp.seen(), 5)


def test_what_others_wrote_is_neither_overwritten_nor_configured(by_bgp: peering.Pair) -> None:
    target, arguments, file = at(by_bgp.box), of_metric(by_bgp), by_bgp.directory / "metric.conf"
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior is not None
    main = by_bgp.directory / "box.conf"
    text = main.read_text()
    main.write_text(text.replace("50 + chaos_metric", "70 + chaos_metric"))
    assert DRIVER.prior(target, arguments, TERM) is None, "`configure` would do more than what is ours"
    assert "has been written since BIRD read it" in DRIVER.inject(target, arguments, prior).words
    main.write_text(text + "nonsense\n")
    assert "syntax error" in DRIVER.inject(target, arguments, prior).error
    main.write_text(text)
    for other in ("define chaos_metric = 7;\n", "define chaos_metric = 0;\ndefine more = 1;\n", ""):
        file.write_text(other)
        assert DRIVER.inject(target, arguments, prior).code == -1
        assert DRIVER.revert(target, arguments, prior).code == 0
        assert DRIVER.is_out(target, arguments, prior)[0] is not True
        assert DRIVER.prior(target, arguments, TERM) is None
        assert file.read_text() == other
    assert "BGP.med: 50 " in by_bgp.seen()


def test_a_protocol_is_disabled_and_enabled(by_bgp: peering.Pair) -> None:
    target = at(by_bgp.box)
    arguments: dict[str, object] = {"socket": by_bgp.ctl(), "protocol": "rhi", "action": "disable"}
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior == {}
    for _ in range(2):
        assert DRIVER.inject(target, arguments, prior).code == 0
        wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is True, 5)
    wait_for(lambda: not by_bgp.seen(), 5)
    assert DRIVER.prior(target, arguments, TERM) is None, "what somebody has disabled is not ours to enable"
    for _ in range(2):
        assert DRIVER.revert(target, arguments, prior).code == 0
        wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is False, 5)
    wait_for(by_bgp.seen, 5)


def test_a_session_that_is_enabled_is_reverted_before_it_is_up(by_bgp: peering.Pair) -> None:
    target = at(by_bgp.box)
    arguments: dict[str, object] = {"socket": by_bgp.ctl(), "protocol": "up", "action": "disable"}
    assert DRIVER.prior(target, arguments, TERM) == {}
    assert DRIVER.inject(target, arguments, {}).code == 0
    wait_for(lambda: DRIVER.is_out(target, arguments, {})[0] is True, 5)
    wait_for(lambda: not by_bgp.seen(), 5)
    assert DRIVER.revert(target, arguments, {}).code == 0
    out, seen = DRIVER.is_out(target, arguments, {})
    assert (out, "start" in seen) == (False, True)
    wait_for(by_bgp.seen, 15)


def test_a_dry_run_touches_nothing(by_bgp: peering.Pair) -> None:
    told: list[tuple[str, ...]] = []
    target: Target = Untouched(at(by_bgp.box), told.append)
    arguments = of_metric(by_bgp)
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior is not None
    assert DRIVER.inject(target, arguments, prior).code == 0
    assert [argv[0] for argv in told] == ["sed", "birdc"]
    assert (by_bgp.directory / "metric.conf").read_text() == "define chaos_metric = 0;\n"
    commands = DRIVER.commands(arguments)
    assert [argv[0] for argv in commands.inject] == [argv[0] for argv in commands.revert] == ["sed", "birdc"]


def test_what_bird_does_not_know_is_unknown(by_bgp: peering.Pair) -> None:
    target = at(by_bgp.box)
    for wrong in ({"protocol": "nothing"}, {"socket": "/no/such/socket"}):
        arguments = of_metric(by_bgp) | wrong
        assert DRIVER.prior(target, arguments, TERM) is None
        assert DRIVER.is_out(target, arguments, {"constant": "chaos_metric", "value": "0", "announced": ""})[0] is None
        disabled = arguments | {"action": "disable"}
        assert DRIVER.prior(target, disabled, TERM) is None
        assert DRIVER.is_out(target, disabled, {})[0] is None
        assert DRIVER.inject(target, disabled, {}).code == 1
    assert DRIVER.prior(target, of_metric(by_bgp) | {"prefix": "192.0.2.81/32"}, TERM) is None
