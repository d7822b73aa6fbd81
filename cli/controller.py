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
from dataclasses import dataclass, replace
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
from core.errors import BlockedError, CallError, VipchaosError
from core.experiment import Experiment
from core.inventory import Inventory
from core.loader import load_experiments, load_inventory, read_text
from core.records import FaultStep, Note, Outcome, Record, RunEnded, RunStarted
from core.windows import blocked
from lab import flavours
from probe import capture
from probe.capture import CaptureError
from store.journal import JournalError, JournalWriter
from store.runs import CONTROLLER, RunDirectory

POLL_S = 0.1


@dataclass(frozen=True)
class Request:
    """What this run is asked to do; paths are absolute.

    `dry_run`: every step, and nothing touched. `plan`: the hash that the plan must have, or ''. `quiet`: no table.
    `member`: this controller's directory, where guards are asked over the bus; `once`: see `over_bus`.
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
    member: Path | None = None
    once: str = ""


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

    def record(told: Record) -> None:
        journal.append(told)
        if isinstance(told, FaultStep):  # on the disk before the next step: a kill -9 leaves no gap in its story
            with contextlib.suppress(JournalError):  # kept, and told as the journal is closed
                journal.sync()

    ended = _run(inventory, experiments, request, run, plan, record, progress, stopped)
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
    from cli.far_vantages import far_vantages

    def note(words: str) -> None:
        record(Note(time.monotonic_ns(), CONTROLLER, words))

    with contextlib.ExitStack() as held:
        held.callback(vantages.stop)
        try:
            far = far_vantages(inventory, request.inventory_file, request.member, run, note)
            far_failed = held.enter_context(far)
        except BlockedError as no_bus:
            return Ending(Outcome.BLOCKED, str(no_bus), "no_bus")

        def failed() -> str:
            return vantages.failed() or far_failed()

        vantages.start(inventory, request.inventory_file, run)
        started_s = time.monotonic()
        silent = _await_answers(first, telemetry, failed, run, stopped)
        if silent is not None:
            return silent
        progress.line(f"first heartbeats answered at every vantage after {time.monotonic() - started_s:.1f} s")
        surroundings = Surroundings(
            observe=telemetry,
            record=record,
            stop=lambda: f"told to stop ({stopped[0]})" if stopped else failed(),
            run=run.run,
            run_directory=run.path,
            plan=plan,
        )
        if not request.dry_run:
            from cli.bus import over_bus

            try:
                with over_bus(inventory, request.member, run.run, plan, request.once) as ordered:
                    told = surroundings.stop
                    surroundings = replace(surroundings, guard=ordered.guard, stop=lambda: told() or ordered.lost())
                    return Runner(experiments, inventory, surroundings).run()
            except BlockedError as no_bus:
                return Ending(Outcome.BLOCKED, str(no_bus), "no_bus")
        ended = Runner(experiments, inventory, dry(surroundings)).run()
        return Ending(Outcome.INCONCLUSIVE, TOUCHED_NOTHING, DRY_RUN) if ended.outcome is Outcome.PASSED else ended


def _await_answers(
    first: FirstAnswers, telemetry: Telemetry, failed: Callable[[], str], run: RunDirectory, stopped: list[str]
) -> Ending | None:
    """Return once every vantage is answered; or how the run ends that does not come so far."""
    started_s = time.monotonic()
    while first.missing:
        telemetry()
        why = failed() or (f"told to stop ({stopped[0]})" if stopped else "")
        if why or (first.missing and time.monotonic() - started_s > FIRST_ANSWER_S):
            silent = ", ".join(sorted(first.missing))
            words = f"no answered heartbeat at {silent} within {FIRST_ANSWER_S:g} s"
            outcome = Outcome.ABORTED if stopped else Outcome.INCONCLUSIVE
            return Ending(outcome, f"{why or words}; see {run.path}/*.log", "stopped" if stopped else "no_answer")
        time.sleep(POLL_S)
    return None


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
