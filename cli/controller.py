"""The inner half of a run: agents, captures, experiments and judgement, inside the namespaces of the network.

Started by `vipchaos demo` as `python -m cli.controller`. Standard input is the lifeline: at its end the run is
aborted, every fault is reverted and the agents are stopped. If this process is killed outright, the agents see
their own lifelines end and the guard reverts what is out.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from chaos.drivers import DECLARED
from chaos.dry import DRY_RUN, TOUCHED_NOTHING, dry
from chaos.planned import check_plan
from chaos.runner import Ending, Runner, Surroundings
from chaos.wall import wall_now
from cli.captures import read_captures
from cli.output import check_writable, colored, write_whole
from cli.progress import Progress
from cli.telemetry import FirstAnswers, Telemetry
from cli.vantages import Vantages
from cli.verdict import Judged, exit_code, judge_run
from core.duration import FIRST_ANSWER_S, longest
from core.errors import CallError, VipchaosError
from core.experiment import Experiment
from core.inventory import Inventory
from core.loader import load_experiments, load_inventory, read_text
from core.records import Note, Outcome, Record, RunEnded, RunStarted
from core.windows import blocked
from lab import flavours
from probe import capture
from probe.capture import CaptureError
from store.journal import JournalWriter
from store.runs import CONTROLLER, RunDirectory

POLL_S = 0.1


@dataclass(frozen=True)
class Request:
    """What this run is asked to do; paths are absolute.

    `dry_run`: every step, and nothing touched. `plan`: the hash that the plan must have, or ''. `quiet`: no table.
    """

    inventory_file: Path
    experiment_files: tuple[Path, ...]
    json_file: Path | None
    markdown_file: Path | None
    keep_captures: bool
    color: bool
    name: str = "demo"
    dry_run: bool = False
    plan: str = ""
    junit_file: Path | None = None
    quiet: bool = False


class Lifeline(threading.Thread):
    """Watches standard input; at its end asks this process to abort in order, as SIGTERM does."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(name="lifeline", daemon=True)
        self._descriptor = descriptor

    def run(self) -> None:
        """Block until the other end is closed, by will or by death."""
        with contextlib.suppress(OSError):
            while os.read(self._descriptor, 1):
                pass
        os.kill(os.getpid(), signal.SIGTERM)


def control(request: Request) -> int:
    """Do the run and return its exit code; SIGTERM and SIGINT end it in order. Raises VipchaosError."""
    return exit_code(run_once(request, []))


def run_once(request: Request, stopped: list[str]) -> Judged:
    """Do the run and return what is to be said of it; a signal that ends it is added to `stopped`.

    Raises VipchaosError.
    """
    inventory = load_inventory(request.inventory_file)
    experiments = load_experiments(request.experiment_files, inventory, DECLARED)
    check_flavours(experiments)
    plan = check_plan(inventory, experiments, request.plan)
    check_writable(request.json_file, request.markdown_file, request.junit_file)
    run = RunDirectory.create(request.name)
    progress = Progress()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: stopped.append(signal.Signals(received).name))
    journal = JournalWriter(run.journal_path(CONTROLLER), CONTROLLER)
    journal.append(
        RunStarted(
            time.monotonic_ns(),
            time.time_ns(),
            run.run,
            importlib.metadata.version("vipchaos"),
            read_text(request.inventory_file),
            tuple(read_text(path) for path in request.experiment_files),
            plan,
            request.dry_run,
        )
    )
    ended = _run(inventory, experiments, request, run, plan, journal.append, progress, stopped)
    try:
        for fact in read_captures(run):
            journal.append(fact)
    except CaptureError as error:
        if ended.outcome is Outcome.PASSED:
            why = f"no capture to hold the intervals against: {error}"
            ended = Ending(Outcome.INCONCLUSIVE, why, "no_capture")
    journal.append(RunEnded(time.monotonic_ns(), time.time_ns(), ended.outcome, ended.reason, ended.reason_code))
    journal.close()
    progress.end()
    judged = judge_run(run)
    _publish(judged, request, run)
    return judged


def check_flavours(experiments: Sequence[Experiment]) -> None:
    """Refuse, before anything is done, experiments for another lab than the one that this is. Raises CallError."""
    try:
        has = flavours.here().flavours
    except OSError:
        has = ()
    for experiment in experiments:
        missing = [name for name in experiment.flavours if name not in has]
        if missing:
            what = f"a lab with {', '.join(has)}" if has else "no lab with flavours"
            wanted = ",".join(experiment.flavours)
            raise CallError(
                f"{experiment.name} needs a lab with {', '.join(missing)}, and this is {what}: "
                f"`vipchaos lab up --flavour {wanted}`, or `vipchaos run --all`, which brings it up"
            )


def _run(
    inventory: Inventory,
    experiments: Sequence[Experiment],
    request: Request,
    run: RunDirectory,
    plan: str,
    record: Callable[[Record], None],
    progress: Progress,
    stopped: list[str],
) -> Ending:
    refused = blocked(inventory.rails.windows, inventory.rails.freezes, wall_now(), longest(experiments))
    if refused:
        return Ending(Outcome.BLOCKED, refused.words, refused.reason)
    vantages = Vantages()
    first = FirstAnswers(frozenset(inventory.vantages))

    def see(seen: Record) -> None:
        first.see(seen)
        progress.see(seen)

    telemetry = Telemetry(run, see)
    if capture.tool() != "tcpdump":
        why = "tcpdump cannot run in a user namespace; vipchaos takes the packet captures itself"
        record(Note(time.monotonic_ns(), CONTROLLER, why))
    try:
        vantages.start(inventory, request.inventory_file, run)
        started_s = time.monotonic()
        while first.missing:
            telemetry()
            why = vantages.failed() or (f"told to stop ({stopped[0]})" if stopped else "")
            if why or (first.missing and time.monotonic() - started_s > FIRST_ANSWER_S):
                silent = ", ".join(sorted(first.missing))
                words = f"no answered heartbeat at {silent} within {FIRST_ANSWER_S:g} s"
                outcome = Outcome.ABORTED if stopped else Outcome.INCONCLUSIVE
                return Ending(outcome, f"{why or words}; see {run.path}/*.log", "stopped" if stopped else "no_answer")
            time.sleep(POLL_S)
        progress.line(f"first heartbeats answered at every vantage after {time.monotonic() - started_s:.1f} s")
        surroundings = Surroundings(
            observe=telemetry,
            record=record,
            stop=lambda: f"told to stop ({stopped[0]})" if stopped else vantages.failed(),
            run=run.run,
            run_directory=run.path,
            plan=plan,
        )
        if not request.dry_run:
            return Runner(experiments, inventory, surroundings).run()
        ended = Runner(experiments, inventory, dry(surroundings)).run()
        return Ending(Outcome.INCONCLUSIVE, TOUCHED_NOTHING, DRY_RUN) if ended.outcome is Outcome.PASSED else ended
    finally:
        vantages.stop()


def _publish(judged: Judged, request: Request, run: RunDirectory) -> None:
    """Print table and verdict, write the report and what else was asked for, and drop the captures."""
    report = run.path / "report.md"
    write_whole(report, judged.markdown())
    write_whole(run.path / "outcome.json", judged.json())
    if request.json_file:
        write_whole(request.json_file, judged.json())
    if request.markdown_file:
        write_whole(request.markdown_file, judged.markdown())
    if request.junit_file:
        write_whole(request.junit_file, judged.junit())
    if not request.keep_captures:
        for path in run.path.glob("*.pcap"):
            path.unlink()
    if request.quiet:
        click.echo(f"{judged.verdict.outcome}: {judged.verdict.reason}  (run {run.run})", err=True)
        return
    click.echo(judged.text(request.color), nl=False, color=request.color)
    click.echo(f"report: {report}", err=True)


@click.command()
@click.option("--inventory", type=click.Path(path_type=Path), required=True)
@click.option("--json", "json_file", type=click.Path(path_type=Path))
@click.option("--markdown", "markdown_file", type=click.Path(path_type=Path))
@click.option("--keep-captures", is_flag=True)
@click.option("--color/--no-color", default=None)
@click.option("--name", default="demo")
@click.option("--quiet", is_flag=True)
@click.argument("experiments", nargs=-1, required=True, type=click.Path(path_type=Path))
def main(
    inventory: Path,
    json_file: Path | None,
    markdown_file: Path | None,
    keep_captures: bool,
    color: bool | None,
    name: str,
    quiet: bool,
    experiments: tuple[Path, ...],
) -> None:
    """Run experiments here; `vipchaos demo` and `vipchaos run --all` call this."""
    chosen = colored(color)
    try:
        Lifeline(sys.stdin.fileno()).start()
        request = Request(inventory, experiments, json_file, markdown_file, keep_captures, chosen, name, quiet=quiet)
        code = control(request)
    except VipchaosError as error:
        click.echo(f"error: {error}", err=True)
        code = error.exit_code
    sys.exit(code)


if __name__ == "__main__":
    main()
