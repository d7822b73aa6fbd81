"""The strict loader: the good files load, and each bad file is refused with exactly its message."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.drivers import DECLARED
from core import shapes
from core.errors import ConfigError
from core.experiment import Sessions
from core.inventory import Host
from core.lease_rules import Caps
from core.loader import (
    load_caps,
    load_experiments,
    load_game_days,
    load_inventory,
    load_planned,
    parse_caps,
    parse_experiments,
    parse_game_days,
    parse_inventory,
    parse_past_experiments,
)
from core.rails import Rails

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENTS = ROOT / "experiments"
BAD = ROOT / "tests" / "bad"
STORY = [
    EXPERIMENTS / f"{name}.yaml" for name in ("node-failover", "site-failover", "site-failback", "route-withdrawal")
]
FILES = sorted(BAD.glob("*.yaml"))
CAPS = (ROOT / "docs" / "guard.md").read_text().split("```yaml\n")[1].split("```")[0]
KINDS = ("experiment", "inventory", "game-days", "guard")


def kind_of(path: Path) -> str:
    """What a file of the corpus is, by its name."""
    return next(kind for kind in KINDS if path.stem.startswith(f"{kind}-"))


def test_the_lab_and_its_story_load() -> None:
    inventory = load_inventory(EXPERIMENTS / "lab.yaml")
    assert [str(site.nat_pool.network) for site in inventory.sites.values()] == ["10.1.100.0/28", "10.2.100.0/28"]
    experiments = load_experiments(STORY, inventory, DECLARED)
    assert [experiment.name for experiment in experiments] == [path.stem for path in STORY]
    assert experiments[0].expectations[0].sessions is Sessions.SURVIVE
    assert experiments[2].reverts == "site-failover"
    assert all(experiment.abort for experiment in experiments)


def test_a_copy_may_be_changed() -> None:
    text = (EXPERIMENTS / "lab.yaml").read_text().replace("c1", "berlin")
    inventory = parse_inventory(text, "copy.yaml")
    experiment = STORY[0].read_text().replace("c1", "berlin")
    (loaded,) = parse_experiments([("copy.yaml", experiment)], inventory, DECLARED)
    assert loaded.expectations[0].vantages == ("berlin", "c2")


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_bad_file_is_refused_with_its_message(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    inventory = load_inventory(EXPERIMENTS / "lab.yaml")
    loaders: dict[str, Callable[[Path], object]] = {
        "experiment": lambda bad: load_experiments([bad], inventory, DECLARED),
        "inventory": load_inventory,
        "game-days": load_game_days,
        "guard": load_caps,
    }
    with pytest.raises(ConfigError) as refused:
        loaders[kind_of(path)](Path(path.name))
    assert str(refused.value) + "\n" == path.with_suffix(".message").read_text()
    assert refused.value.exit_code == 4


def test_the_corpus_is_large_and_each_file_has_a_message() -> None:
    assert len(FILES) >= 30
    assert {path.stem for path in FILES} == {path.stem for path in BAD.glob("*.message")}
    words = "".join(path.with_suffix(".message").read_text() for path in FILES)
    for trap in (
        "unknown key",
        "duplicate key",
        "overlaps",
        "in site dc1 already",
        "unknown vantage",
        "base 60",
        "MAC",
    ):
        assert trap in words


def test_a_file_that_is_missing_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml:1: \(file\): cannot be read"):
        load_inventory(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"vip:\n  name: \xe4\n")
    with pytest.raises(ConfigError, match=r"latin\.yaml:2: \(file\): is not UTF-8"):
        load_inventory(tmp_path / "latin.yaml")
    (tmp_path / "large.yaml").write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(ConfigError, match="too large"):
        load_inventory(tmp_path / "large.yaml")


def test_one_experiment_twice() -> None:
    inventory = load_inventory(EXPERIMENTS / "lab.yaml")
    with pytest.raises(ConfigError, match="node-failover is in the list already"):
        load_experiments([STORY[0], STORY[0]], inventory, DECLARED)


def test_what_a_fault_takes_holds_and_shares() -> None:
    inventory = load_inventory(EXPERIMENTS / "lab.yaml")
    text = STORY[0].read_text()
    text = text.replace("takes: [ace1]", "takes: [ace1, dc2]\n    at_s: 1.5\n    hold_s: 2").replace(
        "    target: ace1\n", "    target: ace1\n    takes: []\n", 1
    )
    (found,) = parse_experiments([("x", text + "\ntogether: true\n")], inventory, DECLARED)
    assert [fault.takes for fault in found.faults] == [("ace1", "dc2"), (), ("ace1",)]
    assert [(fault.at_s, fault.hold_s) for fault in found.faults] == [(1.5, 2.0), (0.0, None), (0.0, None)]
    assert found.together
    assert found.method_s == 6.5
    (plain,) = parse_experiments([("x", STORY[0].read_text())], inventory, DECLARED)
    assert not plain.together


def test_a_run_of_the_past_need_not_say_what_its_faults_took() -> None:
    inventory = load_inventory(EXPERIMENTS / "lab.yaml")
    text = STORY[0].read_text().replace("    takes: [ace1]\n", "")
    (found,) = parse_past_experiments([("x", text)], inventory)
    assert found.faults[0].takes == ()


def test_a_run_of_the_past_may_have_had_a_driver_that_is_gone() -> None:
    inventory = load_inventory(EXPERIMENTS / "lab.yaml")
    text = STORY[0].read_text().replace("driver: link", "driver: own").replace("interface: ace1", "wire: ace1")
    with pytest.raises(ConfigError, match="is 'own', no driver"):
        parse_experiments([("x", text)], inventory, DECLARED)
    (found,) = parse_past_experiments([("x", text)], inventory)
    (now,) = parse_experiments([("x", STORY[0].read_text())], inventory, DECLARED)
    assert [fault.driver for fault in found.faults] == ["own", "process", "process"]
    assert [(fault.name, fault.takes) for fault in found.faults] == [(fault.name, fault.takes) for fault in now.faults]


def test_nothing_is_reverted_twice_or_when_it_is_over() -> None:
    inventory = load_inventory(EXPERIMENTS / "lab.yaml")
    failover, failback = STORY[1].read_text(), STORY[2].read_text()
    again = failback.replace("name: site-failback", "name: again")
    with pytest.raises(ConfigError, match="site-failover is reverted by site-failback already"):
        parse_experiments([("a", failover), ("b", failback), ("c", again)], inventory, DECLARED)
    over = re.sub(r"(    target: .*\n)", r"\1    hold_s: 2\n", failover)
    with pytest.raises(ConfigError, match="nothing of site-failover is out at its end"):
        parse_experiments([("a", over), ("b", failback)], inventory, DECLARED)


def test_a_lease_lasts_until_its_failback_can_come() -> None:
    inventory = load_inventory(EXPERIMENTS / "lab.yaml")
    failover, failback = STORY[1].read_text(), STORY[2].read_text()
    for lease_s, good in ((13, True), (12, False)):
        texts = [("a", failover.replace("lease_s: 30", f"lease_s: {lease_s}")), ("b", failback)]
        if good:
            assert parse_experiments(texts, inventory, DECLARED)[1].reverts == "site-failover"
            continue
        with pytest.raises(ConfigError, match=r"is 12 s, and this cannot come before 8 s, allowed: .* at least 13"):
            parse_experiments(texts, inventory, DECLARED)


@given(st.text(max_size=200) | st.text("{}[]:,-&*!|>'\"%@ \n\tab0.", max_size=80))
def test_any_text_loads_or_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"any\.yaml:[0-9]+: "):
        parse_inventory(text, "any.yaml")


def test_inside_tls_something_is_asked_only_where_it_is_said() -> None:
    text = (EXPERIMENTS / "lab.yaml").read_text()
    for words, path, asks in (
        ("{mode: tls}", "", False),
        ("{mode: tls, path: /who, host: vip.example}", "/who", True),
        ("{mode: tls, site: {header: X-Site, pattern: '(.+)'}, ca: ca.pem}", "/", True),
        ("{mode: http}", "/", True),
        ("{mode: keepalive}", "/", False),
    ):
        service = parse_inventory(
            text.replace("  port: 7000\n", f"  port: 7000\n  service: {words}\n"), "x"
        ).vip.service
        assert (service.path, service.asks_http) == (path, asks)


def test_a_host_says_what_its_transport_needs() -> None:
    text = (EXPERIMENTS / "lab.yaml").read_text()
    for words, host in (
        ("{transport: local}", Host("sw1", "local", "")),
        ("{transport: ssh, target: '2001:db8::5'}", Host("sw1", "ssh", "2001:db8::5")),
        (
            "{transport: cli, target: ace5, user: chaos, port: 2222, known_hosts: /k, password_file: /p}",
            Host("sw1", "cli", "ace5", user="chaos", port=2222, known_hosts="/k", password_file="/p"),
        ),
        (
            "{transport: https, target: 192.0.2.1, credentials_env: BIGIP, ca_file: /ca.pem}",
            Host("sw1", "https", "192.0.2.1", credentials_env="BIGIP", ca_file="/ca.pem"),
        ),
    ):
        assert parse_inventory(text.replace("{transport: netns, target: sw1}", words), "x").hosts["sw1"] == host


def test_the_game_days_load_and_the_documentation_shows_them() -> None:
    path = EXPERIMENTS / "game-days.yaml"
    loaded = load_game_days(path)
    assert [(game_day.name, game_day.enabled) for game_day in loaded] == [
        ("weekly-node-failover", True),
        ("surprise", True),
        ("before-the-sale", False),
    ]
    assert loaded[0].experiments == (str(EXPERIMENTS / "node-failover.yaml"),)
    assert [game_day.timing for game_day in loaded] == [
        "cron 30 22 * * tue Europe/Brussels",
        "random every week mon,tue,wed,thu,fri 10:00-16:00 seed 2026 Europe/Brussels",
        "once 2026-11-12 21:00 America/New_York",
    ]
    rails, longest = load_planned(loaded[0], DECLARED)
    assert rails == Rails()
    # First answers, the gate, three faults that are armed, proven and reverted, the hold, and the settling.
    assert longest.total_seconds() == 30 + (2 + 20) + 3 * (5 + 10 + 15) + 5 + (5 + 20)
    assert f"```yaml\n{path.read_text()}```" in (ROOT / "docs" / "schedule.md").read_text()


def test_the_rails_of_the_documentation_load() -> None:
    rails = (ROOT / "docs" / "schedule.md").read_text().split("```yaml\n")[2].split("```")[0]
    found = parse_inventory((EXPERIMENTS / "lab.yaml").read_text() + rails, "x").rails
    assert [window.words for window in found.windows] == [
        "mon,tue,wed,thu 22:00-06:00 Europe/Brussels",
        "sat 09:00-24:00 Europe/Brussels",
    ]
    assert [freeze.name for freeze in found.freezes] == ["year-end", "sale"]


@given(st.text(max_size=200) | st.text("{}[]:,-&*!|>'\"%@ \n\tab0.", max_size=80))
def test_any_text_is_game_days_or_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"any\.yaml:[0-9]+: "):
        parse_game_days(text, "any.yaml")


def test_the_caps_of_the_documentation_load_and_all_may_be_left_out() -> None:
    default = Caps()
    assert parse_caps(CAPS, "x") == Caps(
        default.lease_s,
        default.concurrent_faults,
        default.faults_a_day,
        default.flaps_an_hour,
        frozenset({"r1", "sw1"}),
    ), "the documentation shows the defaults"
    assert parse_caps("faults_a_day: 3", "x") == Caps(faults_a_day=3)
    assert parse_caps("{}", "x") == default


@pytest.mark.parametrize(
    ("page", "keys"),
    [
        ("inventory", shapes.INVENTORY),
        ("experiments", shapes.EXPERIMENT),
        ("schedule", shapes.GAME_DAYS),
        ("guard", shapes.CAPS),
    ],
)
def test_every_key_is_in_the_documentation(page: str, keys: Mapping[str, shapes.Key]) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text()
    assert [name for name in names_of(keys) if not re.search(rf"\b{name}\b", text)] == []


def names_of(keys: Mapping[str, shapes.Key]) -> set[str]:
    return set(keys).union(*(names_of(key.keys) for key in keys.values()))
