"""Plans: what drivers told they would do, and a hash that sees every change that matters and no other."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chaos.driver import Arguments, Prior, Term
from chaos.drivers import DECLARED
from chaos.drivers.link import LinkDriver
from chaos.planned import SHORTEST_HASH, check_plan, plan_hash, planned
from chaos.transport import Reply, Target, at
from core.errors import BlockedError, CallError
from core.inventory import Host
from core.loader import parse_experiments, parse_inventory
from tests.chaos.as_planned import DRIVERS, HeldToItsWord, as_planned

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENTS = ROOT / "experiments"
LAB = (EXPERIMENTS / "lab.yaml").read_text()
STORY = [
    (name, (EXPERIMENTS / name).read_text())
    for name in ("node-failover.yaml", "site-failover.yaml", "site-failback.yaml", "route-withdrawal.yaml")
]
TERM = Term("one.fault", 0)


@dataclass
class Scripted:
    """A target that answers from a script, and does nothing."""

    says: dict[str, str]
    done: list[tuple[str, ...]] = field(default_factory=list)

    def look(self, argv: Sequence[str]) -> Reply:
        return Reply(tuple(argv), 0, self.says[argv[-1]], "")

    def prepare(self, argv: Sequence[str]) -> Reply:
        return self.do(argv)

    def do(self, argv: Sequence[str]) -> Reply:
        self.done.append(tuple(argv))
        return Reply(tuple(argv), 0, "", "")


def test_a_placeholder_stands_for_words_or_for_a_part_of_one() -> None:
    kill = [("kill", "-TERM", "<pids of it>")]
    assert as_planned(kill, ("kill", "-TERM", "1"))
    assert as_planned(kill, ("kill", "-TERM", "1", "2", "3"))
    assert not as_planned(kill, ("kill", "-TERM"))
    assert not as_planned(kill, ("kill", "-KILL", "1"))
    table = [("nft", "delete table t_<LEASE>; numgen < 20 drop")]
    assert as_planned(table, ("nft", "delete table t_a.b; numgen < 20 drop"))
    assert not as_planned(table, ("nft", "delete table t_a.b; numgen < 30 drop"))
    assert not as_planned(table, ("nft", "delete table t_a.b;", "numgen < 20 drop"))
    assert not as_planned([], ("true",))


def test_a_driver_that_does_something_else_than_it_told_is_found(host: Host) -> None:
    class Liar(LinkDriver):
        def inject(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
            return target.do(["true", *map(str, (arguments, prior))])

        def is_out(self, target: Target, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
            return target.do(["true", *map(str, (arguments, prior))]).code == 0, ""

    liar = HeldToItsWord(Liar())
    with pytest.raises(AssertionError, match="did"):
        liar.inject(at(host), {"interface": "left"}, {})
    with pytest.raises(AssertionError):
        liar.is_out(at(host), {"interface": "left"}, {})


def test_the_link_driver_keeps_its_word(host: Host) -> None:
    driver, target, arguments = DRIVERS["link"], at(host), {"interface": "left"}
    prior = driver.prior(target, arguments, TERM)
    assert prior == {}
    assert driver.inject(target, arguments, prior).code == 0
    assert driver.is_out(target, arguments, prior)[0] is True
    assert driver.revert(target, arguments, prior).code == 0
    assert driver.is_out(target, arguments, prior)[0] is False


def test_the_bird_driver_keeps_its_word() -> None:
    arguments = {"socket": "/run/b.ctl", "protocol": "rhi", "action": "disable"}
    target = Scripted({"rhi": "rhi Static master4 up 10:00:00"})
    driver = DRIVERS["bird"]
    prior = driver.prior(target, arguments, TERM)
    assert prior == {}
    driver.inject(target, arguments, prior)
    driver.revert(target, arguments, prior)
    assert target.done == [("birdc", "-s", "/run/b.ctl", word, "rhi") for word in ("disable", "enable")]


def test_every_driver_is_held_to_its_word_by_a_test() -> None:
    held: set[str] = set()
    for path in sorted((ROOT / "tests" / "chaos").glob("test_*.py")):
        text = path.read_text()
        if "from tests.chaos.as_planned import" in text:
            held |= set(re.findall(r'DRIVERS\["([a-z0-9_]+)"\]', text))
    assert held == set(DECLARED)


def hash_of(inventory: str = LAB, story: Sequence[tuple[str, str]] = STORY) -> str:
    network = parse_inventory(inventory, "lab.yaml")
    return plan_hash(network, parse_experiments(story, network, DECLARED))


def changed(old: str, new: str) -> list[tuple[str, str]]:
    texts = [(name, text.replace(old, new)) for name, text in STORY]
    assert texts != STORY
    return texts


def test_comments_order_of_keys_and_names_of_files_do_not_matter() -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", hash_of())
    assert hash_of() == hash_of()
    assert (
        hash_of(LAB + "\n# a word more\n", [(f"else/{name}", f"# first\n{text}") for name, text in STORY]) == hash_of()
    )
    swapped = "  name: vip\n  address: 203.0.113.10\n"
    assert hash_of(LAB.replace(swapped, "\n".join(reversed(swapped.splitlines())) + "\n")) == hash_of()
    assert hash_of(story=changed("driver: bird\n    target: r1\n", "target: r1\n    driver: bird\n")) == hash_of()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("hold_s: 5", "hold_s: 6"),
        ("lease_s: 30", "lease_s: 31"),
        ("target: sw1", "target: ace2"),
        ("takes: [dc1]", "takes: []"),
        ("interface: ace1", "interface: ace2"),
        ("site: dc1", "site: dc2"),
        ("outage_s: 2", "outage_s: 3"),
        ("    driver: bird\n", "    driver: bird\n    at_s: 1\n"),
        ("settle_s: 5", "settle_s: 5\ntogether: true"),
    ],
)
def test_what_experiments_say_matters(old: str, new: str) -> None:
    assert hash_of(story=changed(old, new)) != hash_of()


def test_order_network_and_commands_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hash_of(story=[STORY[3], *STORY[:3]]) != hash_of()
    assert hash_of(LAB.replace("sessions: 25", "sessions: 26")) != hash_of()
    assert (
        hash_of(LAB.replace("sw1: {transport: netns, target: sw1}", "sw1: {transport: netns, target: sw2}"))
        != hash_of()
    )
    assert hash_of(LAB.replace("[sw1, ace1, ace2, r1]", "[r1, ace2, ace1, sw1]")) == hash_of(), "a set has no order"
    before = hash_of()
    monkeypatch.setattr("chaos.drivers.bird._birdc", lambda *_: ("birdc", "-r"))
    assert hash_of() != before


def test_a_plan_that_changed_is_refused() -> None:
    network = parse_inventory(LAB, "lab.yaml")
    experiments = parse_experiments(STORY, network, DECLARED)
    found = plan_hash(network, experiments)
    for good in (found, found.upper(), found[:SHORTEST_HASH]):
        check_plan(network, experiments, good)
    with pytest.raises(BlockedError, match=f"^plan_changed: the plan is {found} now") as refused:
        check_plan(network, experiments, "0" * 64)
    assert refused.value.exit_code == 3
    assert check_plan(network, experiments, "") == found
    for bad in ("abc", "x" * 64, found[: SHORTEST_HASH - 1]):
        with pytest.raises(CallError, match="at least 12 hexadecimal digits"):
            check_plan(network, experiments, bad)


def test_the_document_tells_commands_targets_and_timeline() -> None:
    network = parse_inventory(LAB, "lab.yaml")
    document = json.loads(json.dumps(planned(network, parse_experiments(STORY, network, DECLARED))))
    assert document["hash"] == hash_of()
    withdrawal = document["experiments"][3]
    (fault,) = withdrawal["faults"]
    assert fault["target"] == {"name": "r1", "transport": "netns", "target": "r1"}
    assert fault["takes"] == ["dc1"]
    assert fault["commands"]["revert"] == [["birdc", "-s", "/run/bird/r1.ctl", "enable", "rhi"]]
    assert [step["step"] for step in withdrawal["timeline"]] == [
        "gate",
        "arm",
        "inject",
        "prove",
        "hold",
        "revert",
        "settle",
        "done",
    ]
    (whole,) = (each for each in document["experiments"] if each["reverts"])
    assert whole["faults"] == []
    assert sum(step["step"] == "revert" for step in whole["timeline"]) == 6


def test_every_key_of_the_document_is_in_the_documentation() -> None:
    network = parse_inventory(LAB, "lab.yaml")
    document = planned(network, parse_experiments(STORY, network, DECLARED))
    section = (ROOT / "docs" / "trials.md").read_text().split("## Trials")[0]
    quoted = re.findall(r"`([^`\n]+)`", section)
    words = {word for text in quoted for word in re.findall("[a-z_]+", text)}
    experiments = document["experiments"]
    assert isinstance(experiments, list)
    keys = set(document) | set(experiments[0]) | set(experiments[0]["faults"][0]) | set(experiments[0]["timeline"][0])
    keys |= set(experiments[0]["faults"][0]["commands"])
    assert keys <= words
