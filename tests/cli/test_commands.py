"""The command: help with examples, errors that say what to do, JSON, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import COMMANDS
from lab import client

ROOT = Path(__file__).resolve().parents[2]


def vipchaos(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "cli", *words]
    return subprocess.run(
        argv, capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | environment, timeout=60
    )


def test_help_lists_commands_examples_and_exit_codes() -> None:
    done = vipchaos("--help")
    assert done.returncode == 0
    for words in (*COMMANDS, "Examples:", "4 bad configuration", "130 interrupted"):
        assert words in done.stdout


@pytest.mark.parametrize("command", [*COMMANDS])
def test_each_command_has_help_with_an_example(command: str) -> None:
    done = vipchaos(command, "--help")
    assert done.returncode == 0
    assert "Example" in done.stdout
    assert f"  vipchaos {command}" in done.stdout, "an example on a line of its own"
    assert "\\b" not in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("no-such-command",), "No such command"),
        (("report", "no-such-run"), "not found"),
        (("report", "/no/such/place"), "no run there"),
        (("demo", "--lab", "nowhere"), "vipchaos lab up --name nowhere"),
        (("lab", "status", "--name", "nowhere"), "is not up"),
        (("lab", "up", "--name", "../x"), "letters, digits and hyphens"),
        (("agent", "--inventory", "experiments/lab.yaml", "--vantage", "c9", "--journal", "x.db"), "it has c1, c2"),
    ],
)
def test_a_wrong_call_is_2_and_says_why(words: tuple[str, ...], said: str) -> None:
    done = vipchaos(*words)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_check() -> None:
    good = vipchaos("check", "experiments/site-failover.yaml", "experiments/site-failback.yaml")
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.splitlines()[0].endswith("2 sites, 4 vantages")
    as_json = json.loads(vipchaos("check", "--json", "experiments/node-failover.yaml").stdout)
    assert as_json["experiments"] == ["node-failover"]


def test_a_bad_file_is_4_and_nothing_is_touched(home: Path) -> None:
    before = sorted(home.rglob("*"))
    bad = sorted((ROOT / "tests" / "bad").glob("*.yaml"))
    assert len(bad) > 30
    for path in (bad[0], ROOT / "tests" / "bad" / "inventory-duplicate-key.yaml"):
        option = ["--inventory"] if path.stem.startswith("inventory") else []
        done = vipchaos("demo", *option, str(path))
        assert done.returncode == 4
        assert done.stdout == ""
        assert f"{path.name}:" in done.stderr
        assert "allowed: " in done.stderr
    assert sorted(home.rglob("*")) == before


def test_runs_without_any(tmp_path: Path) -> None:
    done = vipchaos("runs", VIPCHAOS_HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "")
    assert "`vipchaos demo` makes one" in done.stderr
    assert json.loads(vipchaos("runs", "--json", VIPCHAOS_HOME=str(tmp_path)).stdout) == []


@pytest.mark.parametrize(("missing", "said"), [("nft", "nftables"), ("bird", "bird2")])
def test_a_missing_tool_is_6(tmp_path: Path, missing: str, said: str) -> None:
    for directory in ("/usr/bin", "/usr/sbin", "/bin", "/sbin"):
        for path in Path(directory).iterdir():
            if path.name != missing and not (tmp_path / path.name).exists():
                (tmp_path / path.name).symlink_to(path)
    script = (
        "import sys, lab.client\nlab.client.SBIN = ()\nfrom cli.main import main\n"
        "sys.argv = ['vipchaos', 'demo']\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PATH": str(tmp_path)},
        timeout=60,
    )
    assert done.returncode == 6
    assert f"{missing} (package {said})" in done.stderr


def test_without_the_right_it_is_6() -> None:
    """No capability and no user namespaces."""
    argv = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-m", "cli", "lab", "up"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    assert done.returncode == 6
    assert "CAP_SYS_ADMIN" in done.stderr


def test_lab_exec_passes_on_what_the_command_says(lab: client.Lab) -> None:
    assert lab.alive()
    done = vipchaos("lab", "exec", "--name", "tests", "c1", "--", "sh", "-c", "echo out; echo err >&2; exit 41")
    assert (done.returncode, done.stdout, done.stderr) == (41, "out\n", "err\n")
    status = vipchaos("lab", "status", "--name", "tests", "--json")
    assert status.returncode == 0
    assert json.loads(status.stdout)["missing"] == []


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    from cli.output import write_whole
    from core.errors import CallError

    target = tmp_path / "no" / "such" / "file"
    with pytest.raises(CallError, match="cannot be written"):
        write_whole(target, "x")
    write_whole(tmp_path / "file", "one")
    write_whole(tmp_path / "file", "two")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "two"


def test_run_in_the_lab_as_on_a_network_of_ones_own(lab: client.Lab, tmp_path: Path) -> None:
    """The lab's namespaces are this machine's, as `vipchaos run` sees them; with the kill switch at the end."""

    def inside(*words: str) -> subprocess.CompletedProcess[str]:
        argv = lab.enter_argv(None, [sys.executable, "-m", "cli", *words])
        return subprocess.run(
            argv, capture_output=True, text=True, check=False, env=client.environment(), timeout=120, cwd=ROOT
        )

    path, junit = tmp_path / "outcome.json", tmp_path / "junit.xml"
    plan = inside("plan", "--inventory", "experiments/lab.yaml", "--json", "experiments/node-failover.yaml")
    done = inside(
        "run",
        "--inventory",
        "experiments/lab.yaml",
        "--json",
        str(path),
        "--junit",
        str(junit),
        "--plan",
        json.loads(plan.stdout)["hash"],
        "--no-color",
        "experiments/node-failover.yaml",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(path.read_text())["outcome"] == "PASSED"
    report = inside("report", "last", "--junit", str(tmp_path / "again.xml"))
    assert report.returncode == 0
    assert (tmp_path / "again.xml").read_text() == junit.read_text()
    assert 'errors="0"' in junit.read_text()
    leases = inside("leases", "--json")
    assert json.loads(leases.stdout) == {"leases": [], "damaged": [], "stopped": None}
    stopped = inside("stop", "--reason", "a test")
    assert (stopped.returncode, stopped.stdout) == (0, "nothing is out; new faults are blocked\n")
    assert json.loads(inside("leases", "--json").stdout)["stopped"] == "a test"
    blocked = inside("run", "--inventory", "experiments/lab.yaml", "experiments/node-failover.yaml")
    assert blocked.returncode == 3
    assert "the kill switch is on: a test; `vipchaos resume` allows new faults" in blocked.stdout
    assert inside("resume").stdout == "new faults are allowed again\n"


@pytest.mark.parametrize(
    "words",
    [
        ("demo", "--json", "/no/such/directory/outcome.json"),
        ("run", "--inventory", "experiments/lab.yaml", "--json", "/no/such/x", "experiments/node-failover.yaml"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_anything_is_done(words: tuple[str, ...], home: Path) -> None:
    before = sorted(home.rglob("*"))
    done = vipchaos(*words)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert sorted(home.rglob("*")) == before


def test_a_home_that_cannot_be_made_is_told() -> None:
    done = vipchaos("lab", "up", VIPCHAOS_HOME="/proc/nothing")
    assert done.returncode == 2
    assert done.stderr == "error: /proc/nothing: No such file or directory\n"


def test_a_damaged_journal_is_told_and_never_left_out(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "one"
    run.mkdir(parents=True)
    (run / "controller.db").write_text("garbage")
    done = vipchaos("report", "one", VIPCHAOS_HOME=str(tmp_path))
    assert done.returncode == 5
    assert "controller.db" in done.stderr
    assert "unreadable" in vipchaos("runs", VIPCHAOS_HOME=str(tmp_path)).stdout
