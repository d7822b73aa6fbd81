"""The measurements of the extension of Chaos Toolkit, on networks that carry traffic, and runs of ours from there."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaos.ctk.activity import ActivityError
from chaos.ctk.outages import worst_ms
from chaos.ctk.vantages import answering
from core.errors import CallError
from core.loader import load_inventory
from lab.client import Lab, environment
from store.runs import list_runs
from tests.chaos.toolkit import COMMAND, ROOT, Toolkit, action, documented, probe, toolkit
from tests.probe.conftest import INVENTORY as HERE
from tests.probe.conftest import Network, network
from tests.waiting import wait_for

__all__ = ["network", "toolkit"]  # the fixtures
REVERT = action("revert_fault", name="left")


def in_lab(lab: Lab, place: Path, text: str) -> tuple[int, dict[str, Any], str]:
    path, journal = place / "experiment.json", place / "journal.json"
    path.write_text(text)
    argv = lab.enter_argv("r1", [*COMMAND, "run", "--journal-path", str(journal), str(path)])
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT, env=environment(), timeout=200)
    assert journal.exists(), done.stdout + done.stderr
    return done.returncode, json.loads(journal.read_text()), done.stdout + done.stderr


def test_the_documented_experiment_on_the_lab(lab: Lab, inside: Callable[..., str], tmp_path: Path) -> None:
    code, journal, said = in_lab(lab, tmp_path, documented()[0])
    assert (code, journal["status"], journal["deviated"]) == (0, "completed", False), said
    assert [run["status"] for run in [*journal["run"], *journal["rollbacks"]]] == ["succeeded"] * 4, said
    states = journal["steady_states"]
    assert [states[when]["probes"][0]["output"] for when in ("before", "after")] == ["dc1", "dc2"]
    assert [run["output"] for run in journal["run"][1:]] == [["dc2"], "dc2"]
    assert journal["rollbacks"][0]["output"]["reverted"] is True
    assert "203.0.113.10/32" in inside("r1", "birdc", "-s", "/run/bird/r1.ctl", "show", "route", "protocol", "rhi")


EXPERIMENT = """
name: gap
title: the node drops everything for a second
steady_state: {answered_by: {v1: here}, for_s: 1, timeout_s: 30}
faults:
  - name: drop
    driver: nft
    target: node
    takes: []
    arguments: {action: drop, hook: forward, protocol: tcp}
hold_s: 1
lease_s: 30
settle_s: 1
expectations: [{vantages: [v1], site: here, outage_upper_s: UPPER}]
abort: [{vantages: [v1], outage_s: 20}]
"""


def test_a_run_and_what_it_measured(network: Network, toolkit: Toolkit) -> None:
    """The same run twice: once what is expected is possible, once it is not."""
    path = vantage_file(network, toolkit.place)
    node = f"hosts:\n  node: {{transport: netns, target: {network.node}}}\n"
    path.write_text(path.read_text().replace("hosts:\n", node) + "allowed_targets: [node]\n")
    ours = [toolkit.place / "possible.yaml", toolkit.place / "impossible.yaml"]
    for file, upper_s in zip(ours, ("10", "0.01"), strict=True):
        file.write_text(EXPERIMENT.replace("UPPER", upper_s))
    hypothesis = {
        "title": "the last run",
        "probes": [
            probe("outcome", "PASSED", run="last"),
            probe("worst_outage_ms", [900, 10_000], run="last", experiment="gap"),
        ],
    }
    others: dict[str, Any] = {
        "steady-state-hypothesis": hypothesis,
        "runtime": {"hypothesis": {"strategy": "after-method-only"}},
    }
    runs = [action("run_experiments", inventory=str(path), experiments=[str(file)]) for file in ours]
    done = toolkit.run(runs[:1], **others)
    assert (done.code, done.body["deviated"]) == (0, False), done.said
    assert done.output(0)["outcome"] == "PASSED"
    done = toolkit.run(runs[1:], **others)
    assert (done.code, done.body["deviated"]) == (1, True), done.said
    assert re.search(r"ActivityFailed: FAILED: .* \[broken\] \(run \S+-ctk-\S+\)", done.why(0)), done.why(0)


def test_a_run_of_ours_ends_and_reverts_when_chaos_is_killed(network: Network, toolkit: Toolkit) -> None:
    path = vantage_file(network, toolkit.place)
    node = f"hosts:\n  node: {{transport: netns, target: {network.node}}}\n"
    path.write_text(path.read_text().replace("hosts:\n", node) + "allowed_targets: [node]\n")
    ours = toolkit.place / "long.yaml"
    ours.write_text(EXPERIMENT.replace("UPPER", "10").replace("hold_s: 1", "hold_s: 15"))
    experiment = toolkit.file([action("run_experiments", inventory=str(path), experiments=[str(ours)])])
    process = toolkit.begin(experiment)
    wait_for(lambda: "vipchaos_fault" in network.run(network.node, "nft", "list", "tables"), 60)
    process.kill()
    wait_for(lambda: network.run(network.node, "nft", "list", "tables") == "", 10)
    wait_for(lambda: not list(toolkit.run_directory.glob("leases/*.json")))
    wait_for(lambda: [entry.outcome for entry in list_runs()] == ["ABORTED"], 60)


def test_a_run_that_cannot_begin_fails_the_activity(toolkit: Toolkit) -> None:
    bad = toolkit.place / "bad.yaml"
    bad.write_text("name: x\n")
    method = [action("run_experiments", inventory=str(toolkit.place / "inventory.yaml"), experiments=[str(bad)])]
    method += [probe("outcome", run="20000101"), probe("worst_outage_ms", run="last", experiment="x")]
    done = toolkit.run(method)
    assert [status for _, status in done.of()] == ["failed"] * 3
    assert "exit code 4" in done.why(0)
    assert f"{bad}:1: title: is missing" in done.why(0)
    assert "no outcome of run '20000101': error: run '20000101': not found" in done.why(1)


def vantage_file(network: Network, place: Path) -> Path:
    path = place / "vantage.yaml"
    path.write_text(HERE.replace("{transport: local}", f"{{transport: netns, target: {network.client}}}"))
    return path


def test_who_answers_a_vantage_and_that_nobody_does(network: Network, tmp_path: Path) -> None:
    path = vantage_file(network, tmp_path)
    found = load_inventory(path)
    assert answering(path, found, ["v1"], 1) == {"v1": {"here"}}
    network.drop("tcp dport 7000")
    assert answering(path, found, ["v1"], 1) == {"v1": set()}


def test_an_agent_that_cannot_run_is_no_answer(network: Network, tmp_path: Path) -> None:
    path = vantage_file(network, tmp_path)
    found = load_inventory(path)
    path.unlink()
    with pytest.raises(ActivityError, match=r"the agent at v1 ended with exit code 4: .*cannot be read"):
        answering(path, found, ["v1"], 1)
    with pytest.raises(CallError, match="seconds is 0, allowed: a number from 1 to 3600"):
        answering(path, found, ["v1"], 0)


def test_faults_at_sites_without_a_look_count_who_answers(network: Network, toolkit: Toolkit) -> None:
    """The one site of this inventory answers: a fault that takes nothing is given, one that takes it is not."""
    path = vantage_file(network, toolkit.place)
    text = path.read_text().replace("hosts:\n", f"hosts:\n  bay: {{transport: netns, target: {toolkit.host.target}}}\n")
    path.write_text(text + "allowed_targets: [bay]\n")
    asked = {"inventory": str(path), "target": "bay"}
    method = [toolkit.inject(takes=["here"], **asked), toolkit.inject(takes=[], **asked)]
    method += [probe("sites_announcing", inventory=str(path))]
    done = toolkit.run(method, [REVERT])
    assert [status for _, status in done.of()] == ["failed", "succeeded", "succeeded"], done.said
    assert "[last_announcer]" in done.why(0)
    assert done.output(2) == ["here"]


SEEN = {
    "unknown": "",
    "open_s": 0,
    "engine": "ring",
    "data_plane": {"lower_s": 0.9, "upper_s": 1.2341},
    "new_connections": None,
    "held_kernel": {"lower_s": 1.0, "upper_s": 3.0},
}


def document(**others: object) -> dict[str, Any]:
    """A fault whose outages were not over when it was reverted: the second event tells of those."""
    before = {"experiment": "cut", "vantages": {"c1": SEEN | {"data_plane": None, "open_s": 0.5}}}
    event = {"experiment": "cut", "vantages": {"c1": SEEN | others, "c2": SEEN | {"data_plane": None}}}
    return {"run": "r", "events": [before, event]}


def test_the_worst_outage_is_an_upper_bound_in_whole_milliseconds() -> None:
    assert worst_ms(document(), "cut", "data_plane") == 1235
    assert worst_ms(document(), "cut", "new_connections") == 0
    assert worst_ms(document(), "cut", "held_kernel") == 3000


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"unknown": "no records"}, "no records"),
        ({"open_s": 4.5}, "it has lasted 4.5 s and was not over then"),
        ({"engine": "socket"}, "no data-plane clock"),
    ],
)
def test_an_outage_that_is_not_known_is_no_figure(others: dict[str, object], words: str) -> None:
    with pytest.raises(ActivityError, match=words):
        worst_ms(document(**others), "cut", "data_plane")


def test_an_experiment_or_clock_that_is_none_is_named() -> None:
    with pytest.raises(CallError, match="no event of experiment 'cat'; it has those of: cut"):
        worst_ms(document(), "cat", "data_plane")
    with pytest.raises(CallError, match="allowed: data_plane, new_connections, held_kernel"):
        worst_ms(document(), "cut", "wall")
