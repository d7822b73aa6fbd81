"""The commands `schedule` and `serve`: the next runs with what blocks them, the ledger, and an end in order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.schedule import Row, State
from store.ledger import Ledger
from tests.cli.test_commands import ROOT, vipchaos
from tests.waiting import wait_for

DAYS = """
game_days:
  - name: nightly
    inventory: lab.yaml
    experiments: [node-failover.yaml]
    cron: "30 2 * * *"
    time_zone: Europe/Brussels
    grace_s: 300
    pauses:
      - {name: holiday, date: "2026-10-26"}
    enabled: true
  - name: later
    inventory: lab.yaml
    experiments: [node-failover.yaml]
    once: "2099-01-01 00:00"
    time_zone: UTC
    grace_s: 300
    enabled: false
"""
RAILS = """
rails:
  windows:
    - {from: "22:00", to: "02:31", time_zone: Europe/Brussels}
    - {weekdays: [tue], from: "00:00", to: "06:00", time_zone: Europe/Brussels}
  freezes:
    - {name: fair, date: "2026-10-28", time_zone: Europe/Brussels}
"""


@pytest.fixture
def game_days(tmp_path: Path) -> Path:
    for name in ("lab.yaml", "node-failover.yaml"):
        (tmp_path / name).write_text((ROOT / "experiments" / name).read_text())
    path = tmp_path / "days.yaml"
    path.write_text(DAYS)
    return path


def test_the_next_runs_in_utc_and_local_time(game_days: Path) -> None:
    done = vipchaos("schedule", str(game_days), "--next", "3", "--from", "2026-10-23T12:00:00Z")
    assert done.returncode == 0
    blocked = "BLOCKED paused: holiday (on 2026-10-26, Europe/Brussels)"
    assert done.stdout.splitlines() == [
        "2026-10-24 00:30:00 UTC  Sat 2026-10-24 02:30:00 CEST    nightly",
        "2026-10-25 00:30:00 UTC  Sun 2026-10-25 02:30:00 CEST    nightly",
        f"{'2026-10-26 01:30:00 UTC  Mon 2026-10-26 02:30:00 CET     nightly':<81} {blocked}",
    ]
    assert done.stderr == "later is not enabled\n"


def test_a_run_is_skipped_and_taken_back(game_days: Path, tmp_path: Path) -> None:
    home = {"VIPCHAOS_HOME": str(tmp_path / "home")}
    when = ("--from", "2026-10-23T12:00:00Z")
    done = vipchaos("schedule", str(game_days), "--skip", "nightly", *when, **home)
    assert done.stdout == "2026-10-24 00:30:00 UTC  Sat 2026-10-24 02:30:00 CEST    nightly is left out\n"
    done = vipchaos("schedule", str(game_days), "--next", "2", *when, **home)
    assert [f"BLOCKED skipped: by uid {os.getuid()}" in line for line in done.stdout.splitlines()] == [True, False]
    done = vipchaos("schedule", str(game_days), "--unskip", "nightly", *when, **home)
    assert done.stdout.endswith("nightly runs after all\n")
    done = vipchaos("schedule", str(game_days), "--unskip", "nightly", *when, **home)
    assert (done.returncode, done.stderr) == (2, "error: nightly: none of its next 100 runs is left out\n")


def test_what_will_be_blocked_and_why(game_days: Path) -> None:
    inventory = game_days.parent / "lab.yaml"
    inventory.write_text(inventory.read_text() + RAILS)
    done = vipchaos("schedule", str(game_days), "--next", "5", "--from", "2026-10-24T12:00:00+02:00", "--json")
    found = json.loads(done.stdout)
    assert [(each["planned_local"], (each["blocked"] or {}).get("reason")) for each in found] == [
        ("2026-10-25T02:30:00+02:00", "ends_outside_window"),
        ("2026-10-26T02:30:00+01:00", "paused"),
        ("2026-10-27T02:30:00+01:00", None),
        ("2026-10-28T02:30:00+01:00", "freeze"),
        ("2026-10-29T02:30:00+01:00", "ends_outside_window"),
    ]
    assert found[0]["planned_utc"] == "2026-10-25T00:30:00Z"
    assert "closes at 2026-10-25 00:31:00 UTC" in found[0]["blocked"]["words"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "which game days?"),
        (("x.yaml", "--from", "tomorrow"), "is no instant"),
        (("x.yaml", "--from", "2026-01-01T00:00:00"), "says no offset"),
    ],
)
def test_a_wrong_call(game_days: Path, words: tuple[str, ...], said: str) -> None:
    done = vipchaos("schedule", *(word.replace("x.yaml", str(game_days)) for word in words))
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize("command", ["schedule", "serve"])
def test_bad_files_are_refused_with_their_lines(game_days: Path, command: str) -> None:
    (game_days.parent / "node-failover.yaml").write_text("name: x\n")
    done = vipchaos(command, str(game_days))
    assert done.returncode == 4
    assert "node-failover.yaml:1: " in done.stderr
    game_days.write_text(DAYS.replace('"30 2 * * *"', '"30 2 30 feb *"'))
    done = vipchaos(command, str(game_days))
    assert done.returncode == 4
    assert "days.yaml:6: game_days[0].cron: '30 2 30 feb *': never comes" in done.stderr


def test_the_ledger_is_shown(tmp_path: Path) -> None:
    none = vipchaos("schedule", "--history", "5", VIPCHAOS_HOME=str(tmp_path))
    assert (none.returncode, none.stdout) == (0, "")
    noon = datetime(2026, 6, 10, 12, tzinfo=UTC)
    row = Row("drill", noon, State.PLANNED, noon, "cron 0 12 * * * UTC")
    with Ledger(tmp_path / "schedule") as ledger:
        ledger.append([row, replace(row, state=State.MISSED, reason="late", words="91 s late")])
    shown = vipchaos("schedule", "--history", "5", VIPCHAOS_HOME=str(tmp_path))
    assert shown.stdout.splitlines() == [
        "2026-06-10 12:00:00 UTC  PLANNED   drill",
        "2026-06-10 12:00:00 UTC  MISSED    drill                    late  91 s late",
    ]
    (planned, missed) = json.loads(vipchaos("schedule", "--history", "5", "--json", VIPCHAOS_HOME=str(tmp_path)).stdout)
    assert planned["state"] == "PLANNED"
    assert planned["reason"] is None
    assert (missed["reason"], missed["planned_utc"]) == ("late", "2026-06-10T12:00:00Z")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_serve_plans_and_ends_in_order(game_days: Path, tmp_path: Path, number: int, code: int) -> None:
    argv = [sys.executable, "-m", "cli", "serve", "--json", str(game_days)]
    environment = os.environ | {"VIPCHAOS_HOME": str(tmp_path)}
    with subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        row = json.loads(process.stdout.readline())
        second = vipchaos("serve", str(game_days), VIPCHAOS_HOME=str(tmp_path))
        process.send_signal(number)
        wait_for(lambda: process.poll() is not None)
    assert (row["game_day"], row["state"]) == ("nightly", "PLANNED")
    assert process.returncode == code
    assert second.returncode == 3
    assert "another `vipchaos serve` has this ledger" in second.stderr
    again = vipchaos("schedule", "--history", "5", VIPCHAOS_HOME=str(tmp_path))
    assert again.stdout.count("\n") == 1


def test_a_run_has_a_name_and_a_lifeline() -> None:
    done = vipchaos("run", "--name", "../x", "--inventory", "experiments/lab.yaml", "experiments/node-failover.yaml")
    assert done.returncode == 2
    assert "--name '../x'" in done.stderr
