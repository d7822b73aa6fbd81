"""The commands around a run: schema, plan, its hash, trials, JUnit; and `check` over several files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cli import trials
from cli.controller import Request
from cli.verdict import Judged
from core.judge import RunVerdict
from core.records import Outcome, RunStarted
from core.trials import STOPPING
from tests.cli.test_commands import vipchaos
from tests.dashboards.test_report import verdict_of

ROOT = Path(__file__).resolve().parents[2]
RUN = ("run", "--inventory", "experiments/lab.yaml")
PLAN = ("plan", "--inventory", "experiments/lab.yaml")
WITHDRAWAL = "experiments/route-withdrawal.yaml"


def test_schema() -> None:
    experiment, inventory = vipchaos("schema"), vipchaos("schema", "inventory")
    assert (experiment.returncode, inventory.returncode) == (0, 0)
    assert json.loads(experiment.stdout)["title"] == "vipchaos experiment"
    assert json.loads(inventory.stdout)["properties"]["vip"]["type"] == "object"
    assert vipchaos("schema", "experiment").stdout == experiment.stdout
    for kind in ("game-days", "guard"):
        assert json.loads(vipchaos("schema", kind).stdout)["title"] == f"vipchaos {kind.replace('-', ' ')}"
    assert vipchaos("schema", "lab").returncode == 2


def test_plan_says_what_would_be_done(home: Path) -> None:
    before = sorted(home.rglob("*"))
    done = vipchaos(*PLAN, "experiments/site-failover.yaml", "experiments/site-failback.yaml", WITHDRAWAL)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    for line in (
        "3. route-withdrawal: r1 withdraws the route to the VIP, both nodes healthy",
        "  gate: c1 by dc1, c2 by dc1, c3 by dc2, c4 by dc2; for 2 s, within 20 s",
        "  lease 30 s, hold 5 s, settle 5 s",
        "  r1-rhi: bird at r1 (netns r1), takes dc1",
        "    inject  birdc -s /run/bird/r1.ctl disable rhi",
        "    prove   birdc -s /run/bird/r1.ctl show protocols rhi",
        "    revert  birdc -s /run/bird/r1.ctl enable rhi",
        "  reverts site-failover, watches 6 s, settle 5 s",
        "      -2.0  gate: the steady state",
        "       5.0  revert r1-rhi",
    ):
        assert line in lines, line
    as_json = json.loads(vipchaos(*PLAN, "--json", WITHDRAWAL).stdout)
    only = vipchaos(*PLAN, WITHDRAWAL).stdout
    assert only.splitlines()[-1] == f"hash: {as_json['hash']}"
    assert sorted(home.rglob("*")) == before


def test_a_plan_that_changed_is_3_and_nothing_is_touched(home: Path) -> None:
    before = sorted(home.rglob("*"))
    done = vipchaos(*RUN, "--plan", "0" * 64, WITHDRAWAL)
    assert done.returncode == 3
    assert done.stderr.startswith("error: plan_changed: the plan is ")
    assert vipchaos(*RUN, "--plan", "yesterday", WITHDRAWAL).returncode == 2
    assert sorted(home.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--trials", "0"), "1<=x<=100"),
        (("--trials", "101"), "1<=x<=100"),
        (("--trials", "2", "--markdown", "x.md"), "--markdown is of one run"),
        (("--junit", "/no/such/x.xml"), "cannot be written"),
        (("--trials", "2", "--junit", "/no/such/x.xml"), "cannot be written"),
    ],
)
def test_calls_that_cannot_work(words: tuple[str, ...], said: str, home: Path) -> None:
    before = sorted(home.rglob("*"))
    done = vipchaos(*RUN, *words, WITHDRAWAL)
    assert done.returncode == 2
    assert said in done.stderr
    assert sorted(home.rglob("*")) == before


def test_check_prints_the_problems_of_all_files(tmp_path: Path) -> None:
    bad = ["tests/bad/experiment-no-abort.yaml", "experiments/none.yaml", "tests/bad/experiment-key-misspelt.yaml"]
    done = vipchaos("check", *bad)
    assert done.returncode == 4
    for path in bad:
        assert f"{path}:" in done.stderr
    done = vipchaos(
        "check", "--inventory", "tests/bad/inventory-port-missing.yaml", "tests/bad/inventory-tab.yaml", *bad
    )
    assert done.returncode == 4
    assert "inventory-port-missing.yaml:" in done.stderr
    assert "inventory-tab.yaml:" in done.stderr, "what is no YAML is told of experiments, too"
    assert "none.yaml:1: (file): cannot be read" in done.stderr
    broken = tmp_path / "site-failover.yaml"
    broken.write_text((ROOT / "experiments" / "site-failover.yaml").read_text().replace("hold_s: 6", "hold_s: -6"))
    done = vipchaos("check", str(broken), "experiments/site-failback.yaml")
    assert len(done.stderr.splitlines()) == 1, "what follows from another file's problem is none"


def fake_runs(*outcomes: Outcome) -> tuple[Callable[[Request, list[str]], Judged], list[Request]]:
    """What stands for the controller: a run a call, with these outcomes."""
    asked: list[Request] = []

    def run_once(request: Request, stopped: list[str]) -> Judged:
        outcome = outcomes[len(asked)]
        asked.append(request)
        if outcome is Outcome.ABORTED:
            stopped.append("SIGINT")
        verdict: RunVerdict = replace(verdict_of(), outcome=outcome)
        return Judged(f"run-{len(asked)}", RunStarted(0, 1, f"run-{len(asked)}", "0", "", ()), verdict)

    return run_once, asked


@pytest.mark.parametrize(
    ("outcomes", "runs", "code"),
    [
        ((Outcome.PASSED,) * 3, 3, 0),
        ((Outcome.PASSED, Outcome.FAILED, Outcome.INCONCLUSIVE), 3, 1),
        ((Outcome.PASSED, Outcome.BLOCKED, Outcome.PASSED), 2, 3),
        ((Outcome.ABORTED, Outcome.PASSED, Outcome.PASSED), 1, 8),
        ((Outcome.FAILED, Outcome.REVERT_FAILED, Outcome.PASSED), 2, 7),
    ],
)
def test_trials_end_early_where_they_must(
    outcomes: tuple[Outcome, ...],
    runs: int,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("VIPCHAOS_HOME", str(tmp_path))
    run_once, asked = fake_runs(*outcomes)
    monkeypatch.setattr(trials, "run_once", run_once)
    json_file, junit_file = tmp_path / "figures.json", tmp_path / "junit.xml"
    request = Request(Path("x"), (), json_file, None, False, False, "run", plan="f" * 64, junit_file=junit_file)
    assert trials.run_trials(request, 3) == code
    assert len(asked) == runs
    assert all(each.quiet and each.plan == request.plan and each.json_file is None for each in asked)
    (kept,) = tmp_path.glob("trials/*/trials.json")
    assert kept.read_text() == json_file.read_text()
    document = json.loads(kept.read_text())
    assert [trial["outcome"] for trial in document["trials"]] == [str(outcome) for outcome in outcomes[:runs]]
    assert document["figures"][0]["n"] == sum(outcome not in STOPPING for outcome in outcomes[:runs])
    suites = [suite.attrib["name"] for suite in ElementTree.parse(junit_file).getroot()]
    assert len(suites) == 2 * runs
    assert all(name.startswith("run-") for name in suites)
    shown = capsys.readouterr()
    assert f"trial {runs} of 3\n" in shown.err
    assert ("stopped after" in shown.out) == (runs < 3)
    assert ("too few trials" in shown.out) == (document["figures"][0]["n"] > 0)
