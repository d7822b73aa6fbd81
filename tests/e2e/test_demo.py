"""The whole story on the lab, as a user runs it; every figure is taken from the document that the demo writes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.records import ProbeStarted, RunEnded, Summary
from store.runs import RunDirectory
from tests.host import Host, look

CLIENTS_OF = {"dc1": ("c1", "c2"), "dc2": ("c3", "c4")}


@dataclass(frozen=True)
class Demo:
    """A demo that has been run: what it said, what it wrote, and the host before and after."""

    done: subprocess.CompletedProcess[str]
    document: dict[str, Any]
    run: RunDirectory
    before: Host
    after: Host

    def event(self, experiment: str, kind: str = "failover") -> dict[str, Any]:
        (found,) = (e for e in self.document["events"] if (e["experiment"], e["kind"]) == (experiment, kind))
        assert found["proven"]
        return dict(found)


def vipchaos(*words: str, color: str = "--no-color") -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "cli", *words, *([color] if words[0] in ("demo", "report") else [])]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=280)


@pytest.fixture(scope="module")
def demo(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    path = tmp_path_factory.mktemp("demo") / "outcome.json"
    before = look()
    done = vipchaos("demo", "--json", str(path))
    assert path.exists(), done.stdout + done.stderr
    document = json.loads(path.read_text())
    return Demo(done, document, RunDirectory(home / "runs" / document["run"]), before, look())


def test_it_passes_with_every_expectation_held(demo: Demo) -> None:
    assert demo.done.returncode == 0, demo.done.stdout
    assert demo.document["outcome"] == "PASSED"
    assert {verdict["verdict"] for verdict in demo.document["verdicts"]} == {"held"}
    experiments = {verdict["experiment"] for verdict in demo.document["verdicts"]}
    assert experiments == {"node-failover", "site-failover", "site-failback", "route-withdrawal"}


def whole(answer: list[dict[str, Any]], site: str, pool: str, node: str | None = None) -> bool:
    (only,) = answer
    return (only["site"], only["nat_pool"], only["sessions"]) == (site, pool, 25) and node in (None, only["node"])


def test_node_failover(demo: Demo) -> None:
    event = demo.event("node-failover")
    for client in CLIENTS_OF["dc1"]:
        seen = event["vantages"][client]
        assert whole(seen["before"], "dc1", "N1", "ace1")
        assert whole(seen["after"], "dc1", "N1", "ace2")
        assert (seen["alive"], seen["survived"], seen["dropped"]) == (25, 25, {})
        assert seen["slots_hit"] == 25
        assert 0 < seen["data_plane"]["lower_s"] < seen["data_plane"]["upper_s"] < 1
        assert seen["held_kernel"]["upper_s"] > 0
    untouched(event)


def untouched(event: dict[str, Any]) -> None:
    for client in CLIENTS_OF["dc2"]:
        seen = event["vantages"][client]
        assert whole(seen["before"], "dc2", "N2")
        assert whole(seen["after"], "dc2", "N2")
        assert (seen["survived"], seen["dropped"], seen["data_plane"], seen["open_s"]) == (25, {}, None, 0)


def test_site_failover_and_its_failback(demo: Demo) -> None:
    event, back = demo.event("site-failover"), demo.event("site-failback", "failback")
    assert (event["pair"], back["pair"]) == ("site-failback", "site-failover")
    for client in CLIENTS_OF["dc1"]:
        seen = event["vantages"][client]
        assert whole(seen["after"], "dc2", "N2")
        assert (seen["survived"], sum(seen["dropped"].values()), seen["alive_at_end"]) == (0, 25, 25)
        assert set(seen["dropped"]) <= {"reset", "timeout", "icmp", "fin"}
        assert seen["new_connections"]["upper_s"] < 5
        assert whole(back["vantages"][client]["after"], "dc1", "N1")
    assert 0 < event["first_convergence_s"] <= event["full_convergence_s"] < 10
    untouched(event)
    untouched(back)


def test_route_withdrawal(demo: Demo) -> None:
    event, back = demo.event("route-withdrawal"), demo.event("route-withdrawal", "failback")
    for client in CLIENTS_OF["dc1"]:
        assert whole(event["vantages"][client]["before"], "dc1", "N1")
        assert whole(event["vantages"][client]["after"], "dc2", "N2")
        assert whole(back["vantages"][client]["after"], "dc1", "N1")
    untouched(event)
    untouched(back)


def test_the_captures_agree(demo: Demo) -> None:
    captures = demo.document["captures"]
    reported = sum(seen["slots_hit"] for event in demo.document["events"] for seen in event["vantages"].values())
    assert len(captures) >= reported >= 100
    for capture in captures:
        assert capture["inside"] is True
        assert capture["lower_s"] <= capture["captured_s"] <= capture["upper_s"]
    assert not list(demo.run.path.glob("*.pcap"))


def test_it_keeps_to_its_time(demo: Demo) -> None:
    records = demo.run.read_all()
    started = min(record.t_ns for record in records)
    ended = next(record.t_ns for record in records if isinstance(record, RunEnded))
    assert ended - started < 120e9
    vantages = {record.vantage for record in records if isinstance(record, ProbeStarted)}
    assert vantages == {"c1", "c2", "c3", "c4"}
    for vantage in vantages:
        answered = [r for r in records if isinstance(r, Summary) and r.vantage == vantage and r.answered]
        assert answered[0].t_ns - started < 15e9


def test_the_report_says_it_again_from_the_journal_alone(demo: Demo) -> None:
    again = vipchaos("report", demo.document["run"], "--json", "-")
    assert again.returncode == 0
    assert json.loads(again.stdout) == demo.document
    assert vipchaos("report", "last").stdout == demo.done.stdout
    assert [line.split()[0] for line in vipchaos("runs").stdout.splitlines()][-1] == demo.document["run"]
    report = (demo.run.path / "report.md").read_text()
    assert demo.done.stdout.strip() in report
    assert json.loads((demo.run.path / "outcome.json").read_text()) == demo.document


def test_it_told_how_it_went(demo: Demo) -> None:
    said = demo.done.stderr
    for words in ("lab: ready after", "first heartbeats answered", "ace1-link proven", "site-failback: revert"):
        assert words in said
    assert "\x1b" not in demo.done.stdout + said


def test_the_host_is_as_it_was(demo: Demo, home: Path) -> None:
    assert demo.after == demo.before
    assert not [path for path in (home / "labs").glob("demo-*") if path.exists()]
