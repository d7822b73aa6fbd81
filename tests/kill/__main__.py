"""`make kill-test`: kills the controller, the guard or its keeper at random moments of a run, again and again.

After each kill: the lab equals its state before, within the lease and 2 s; no lease is out; the journal tells the
story of every fault without a gap; the audit's chain is whole. One line a kill; a table at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from core.audit import Broken
from core.errors import VipchaosError
from core.records import Record
from lab import client
from store.audit import Audit, audit_file
from store.runs import RunDirectory, home
from tests.kill.story import gaps, reached

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
LEASE_S = 8.0
AFTER_LEASE_S = 2.0
READY_AGAIN_S = 25.0
ARMED_WITHIN_S = 30.0
VICTIMS = ("controller", "guard", "keeper")
STEADY = "steady_state: {answered_by: {c1: dc1, c2: dc1, c3: dc2, c4: dc2}, for_s: 1, timeout_s: 20}"
TIMES = f"hold_s: 1\nlease_s: {LEASE_S:g}\nsettle_s: 1\nexpectations: [{{vantages: [c3, c4], sessions: untouched}}]"
ABORT = "abort: [{vantages: [c3, c4], outage_s: 5, stale_s: 5}]"
FAULTS = {
    "link": "{name: link, driver: link, target: sw1, takes: [ace1], arguments: {interface: ace1}}",
    "kill": "{name: kill, driver: process, target: ace1, arguments: {name: keepalived,"
    " pid_file: /run/lab/ace1.keepalived.pid, start: [/run/lab/start/ace1.keepalived]}}",
    "freeze": "{name: freeze, driver: process, target: ace1, arguments: {action: freeze, name: keepalived,"
    " pid_file: /run/lab/ace1.keepalived.pid}}",
    "bird": "{name: bird, driver: bird, target: r1, takes: [dc1], arguments: {socket: /run/bird/r1.ctl,"
    " protocol: rhi, action: disable}}",
    "nft": "{name: nft, driver: nft, target: ace1, arguments: {action: lose, percent: 20, hook: prerouting,"
    " protocol: tcp, destination: 203.0.113.10}}",
    "priority": "{name: priority, driver: keepalived, target: ace1, arguments: {track_file: /run/lab/ace1.priority,"
    " interface: lan, address: 10.1.1.10}}",
}
METHODS = (("link", "kill"), ("bird",), ("nft", "freeze"), ("priority", "nft"), ("link",), ("kill", "nft"))


@dataclass(frozen=True)
class Trial:
    """One kill: who, in which method, how long after the lease was given (s; negative: before), and what was found."""

    victim: str
    method: tuple[str, ...]
    after_s: float
    step: str
    killed: bool
    faults_gone_s: float
    equal_s: float
    problems: tuple[str, ...]


def main() -> int:
    """Kill so often; exit code 1 when a single one left something behind."""
    parser = argparse.ArgumentParser(prog="tests.kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as directory:
        os.environ["VIPCHAOS_HOME"] = directory
        lab = client.up("kill-test")
        try:
            trials = campaign(lab, arguments.kills, chance)
        finally:
            lab.down()
    say(table(trials, arguments.seed))
    return 1 if any(trial.problems for trial in trials) else 0


def say(text: str) -> None:
    """Print, at once."""
    print(text, flush=True)  # noqa: T201


def campaign(lab: client.Lab, kills: int, chance: random.Random) -> list[Trial]:
    """Do so many kills, one after another, the victims and methods in turn; who is not there (now) is none."""
    trials: list[Trial] = []
    while (done := sum(trial.killed for trial in trials)) < kills:
        number = len(trials)
        trial = one(lab, VICTIMS[number % 3], METHODS[number // 3 % len(METHODS)], chance.uniform(-0.6, 2.6))
        trials.append(trial)
        if not trial.killed and number - done > kills + len(VICTIMS):
            raise VipchaosError(f"nobody was there to be killed in {number - done} of {number} runs")
        verdict = "; ".join(trial.problems) or f"equal after {trial.equal_s:.1f} s"
        say(
            f"... {done + trial.killed} of {kills}: {'+'.join(trial.method)}, "
            f"{'kill -9 of the' if trial.killed else 'no'} {trial.victim} "
            f"{trial.after_s:+.2f} s from the lease, {trial.step}: {verdict}"
        )
    return trials


def one(lab: client.Lab, victim: str, method: tuple[str, ...], after_s: float) -> Trial:
    """Start a run, kill, and hold the lab against what it was."""
    before = _state(lab)
    runs = set(_runs())
    argv = lab.enter_argv(None, [sys.executable, "-m", "cli", "run", "--inventory", *_files(method)])
    said = home() / "said"
    with (
        said.open("wb") as output,
        subprocess.Popen(argv, stdout=output, stderr=output, env=client.environment()) as run,
    ):
        path, given_s = _given(runs, run)
        _until(given_s + after_s)
        pid = _pid(victim, run.pid, lab)
        killed_s = time.monotonic()
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        step = reached(RunDirectory(path).read_new())
        problems = []
        faults_gone_s = _wait(lambda: not _leases(lab), killed_s, LEASE_S + AFTER_LEASE_S)
        if faults_gone_s < 0:
            problems.append(f"leases are out {LEASE_S + AFTER_LEASE_S:g} s later: {_leases(lab)}")
        try:
            code = run.wait(READY_AGAIN_S + LEASE_S)
        except subprocess.TimeoutExpired:
            problems.append("the run does not end")
            run.kill()
            code = None
    equal_s = _wait(lambda: _state(lab) == before, killed_s, READY_AGAIN_S)
    if equal_s < 0:
        problems.append(f"the lab is not as before: {_difference(before, _state(lab))}")
    if victim != "controller" and code not in (0, 1):
        problems.append(f"the run ended with {code}, though only the {victim} was killed")
    problems += gaps(RunDirectory(path).read_all()) + _audit_problems()
    return Trial(victim, method, after_s, step, bool(pid), faults_gone_s, equal_s, tuple(problems))


def _files(method: tuple[str, ...]) -> list[str]:
    """Write inventory and experiment; return their paths."""
    inventory = (
        (EXPERIMENTS / "lab.yaml").read_text().replace("sessions: 25, period_s: 0.01", "sessions: 2, period_s: 0.05")
    )
    faults = "\n".join(f"  - {FAULTS[name]}" for name in method)
    text = f"name: killed\ntitle: kill -9\n{STEADY}\nfaults:\n{faults}\n{TIMES}\n{ABORT}\n"
    paths = [home() / "inventory.yaml", home() / "killed.yaml"]
    for path, content in zip(paths, (inventory, text), strict=True):
        path.write_text(content)
    return [str(path) for path in paths]


def _runs() -> list[Path]:
    return sorted((home() / "runs").glob("*/"))


def _given(known: set[Path], run: subprocess.Popen[bytes]) -> tuple[Path, float]:
    """Wait for the run's directory and its gate; return it and about when its lease is given (monotonic seconds).

    The gate lasts a second: so the moment of the lease is known ahead, and a kill may come before it.
    """
    until_s = time.monotonic() + ARMED_WITHIN_S
    while time.monotonic() < until_s and run.poll() is None:
        for path in set(_runs()) - known:
            gate = _gate_ns(RunDirectory(path).read_new())
            if gate:
                return path, gate / 1e9 + 1.05
        time.sleep(0.01)
    said = (home() / "said").read_text(errors="replace").strip()
    raise VipchaosError(f"the run never came to its gate within {ARMED_WITHIN_S:g} s: {said}")


def _gate_ns(records: list[Record]) -> int:
    return next((record.t_ns for record in records if getattr(record, "phase", "") == "gate"), 0)


def _until(instant_s: float) -> None:
    time.sleep(max(0.0, instant_s - time.monotonic()))


def _pid(victim: str, outer: int, lab: client.Lab) -> int:
    """Return the victim's pid as the host sees it, 0 when there is none (now). Only what is of this lab is one."""
    if victim == "controller":
        return next((pid for pid in _children(outer) if b"cli\0run" in _command(pid)), 0)
    pids = [
        int(path.name) for path in Path("/proc").glob("[0-9]*") if b"chaos.guard.keeper" in _command(int(path.name))
    ]
    pids = [pid for pid in pids if _namespace(pid) == _namespace(lab.pid)]
    guards = [pid for pid in pids if _parent(pid) in pids]
    found = guards if victim == "guard" else [pid for pid in pids if pid not in guards]
    return found[0] if found else 0


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _namespace(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return ""


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _inside(lab: client.Lab, *argv: str) -> str:
    return subprocess.run(
        lab.enter_argv(None, list(argv)), capture_output=True, text=True, check=True, env=client.environment()
    ).stdout


def _leases(lab: client.Lab) -> str:
    return _inside(lab, "ls", "/run/vipchaos/leases").strip()


def _state(lab: client.Lab) -> dict[str, object]:
    found: dict[str, object] = json.loads(_inside(lab, sys.executable, "-m", "tests.kill.state"))
    return found


def _difference(before: dict[str, object], after: dict[str, object]) -> str:
    return "; ".join(f"{name}: {before[name]} -> {after[name]}" for name in before if before[name] != after[name])[:600]


def _wait(holds: object, since_s: float, within_s: float) -> float:
    """Return how many seconds after `since_s` it held, -1 when it did not in time."""
    assert callable(holds)
    while True:
        if holds():
            return time.monotonic() - since_s
        if time.monotonic() - since_s > within_s:
            return -1.0
        time.sleep(0.1)


def _audit_problems() -> list[str]:
    broken = [item for item in Audit(audit_file()).read() if isinstance(item, Broken) and not item.torn]
    return [f"audit: line {item.line} {item.why}" for item in broken]


def table(trials: list[Trial], seed: int) -> str:
    """Return the result: kills by victim and step, and how long it took until the lab was as before."""
    killed = sum(trial.killed for trial in trials)
    lines = [f"{killed} kills (seed {seed}); the lease is for {LEASE_S:g} s", ""]
    lines.append(f"{'last step before the kill':<28}" + "".join(f"{victim:>12}" for victim in VICTIMS))
    counts = Counter((trial.step, trial.victim) for trial in trials if trial.killed)
    steps = dict.fromkeys(trial.step for trial in sorted(trials, key=lambda trial: trial.after_s))
    lines += [f"{step:<28}" + "".join(f"{counts[step, victim]:>12}" for victim in VICTIMS) for step in steps]
    gone = sorted(trial.faults_gone_s for trial in trials)
    equal = sorted(trial.equal_s for trial in trials)
    lines += [
        "",
        f"runs beside those, in which the one to be killed was not there: {len(trials) - killed}",
        f"until no lease was out: median {gone[len(gone) // 2]:.1f} s, longest {gone[-1]:.1f} s",
        f"until the lab equalled its state before: median {equal[len(equal) // 2]:.1f} s, longest {equal[-1]:.1f} s",
        f"something left behind, or a gap in the story: {sum(bool(trial.problems) for trial in trials)}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
