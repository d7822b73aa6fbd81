"""Judging a run from its journals, and the forms of the outcome."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from chaos.dry import DRY_RUN
from core.errors import CallError
from core.exit_codes import EXIT_CODES
from core.experiment import Experiment
from core.inventory import Inventory
from core.judge import RunVerdict, judge
from core.records import Outcome, Record, RunEnded, RunStarted
from dashboards.report.document import to_document
from dashboards.report.junit import Suites, to_junit
from dashboards.report.markdown import to_markdown
from dashboards.report.text import to_text
from store.recorded import what_was_run
from store.runs import RunDirectory

GOES_ON = "the run goes on yet: this is what its journals say so far"


@dataclass(frozen=True, slots=True)
class Basis:
    """What a verdict rests on; `records` are in order of time."""

    records: Sequence[Record]
    inventory: Inventory
    experiments: Sequence[Experiment]


@dataclass(frozen=True, slots=True)
class Judged:
    """A judged run, ready to be shown; without its basis it cannot be drawn."""

    run: str
    started: RunStarted
    verdict: RunVerdict
    basis: Basis | None = None

    def text(self, color: bool) -> str:
        """Return table and verdict for a terminal."""
        return to_text(self.run, self.verdict, color)

    def markdown(self) -> str:
        """Return the report file's text."""
        return to_markdown(self.run, self.verdict, self.started.inventory, self.started.experiments)

    def json(self) -> str:
        """Return the documented JSON document."""
        return json.dumps(to_document(self.run, self.verdict), indent=2) + "\n"

    def junit(self) -> str:
        """Return the outcome as JUnit XML."""
        return to_junit([Suites(self.run, self.started.wall_ns, self.verdict)])

    def html(self) -> str:
        """Return the report page."""
        # Drawing is imported by who asks for it: the library takes a second to load.
        from dashboards.report.assemble import Run, view
        from dashboards.report.html import to_html

        basis = self.basis
        assert basis is not None
        return to_html(view(Run(self.started, basis.records, self.verdict, basis.inventory, basis.experiments)))


def exit_code(judged: Judged) -> int:
    """Return what a command ends with that has done this run: 0 also for a dry run that came to its end."""
    return 0 if judged.verdict.reason_code == DRY_RUN else EXIT_CODES[judged.verdict.outcome]


def judge_run(run: RunDirectory) -> Judged:
    """Judge a run from its journals alone; one that goes on yet is INCONCLUSIVE, whatever is known so far.

    Raises CallError for a run without a beginning, JournalError for one that cannot be read.
    """
    with _uncollected():
        return _judge_run(run)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Leave the garbage collector out: a run's records all live to the end, and looking among them costs a third."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _judge_run(run: RunDirectory) -> Judged:
    records = run.read_all()
    started = next((record for record in records if isinstance(record, RunStarted)), None)
    going_on = run.is_written() and not any(isinstance(record, RunEnded) for record in records)
    if started is None:
        why = "it is just beginning: try again" if going_on else "there is nothing to judge"
        raise CallError(f"run {run.run}: its journal has no beginning; {why}")
    basis = Basis(records, *what_was_run(run, started))
    verdict = judge(records, basis.inventory, basis.experiments)
    if going_on:
        verdict = replace(verdict, outcome=Outcome.INCONCLUSIVE, reason=GOES_ON, reason_code="goes_on")
    return Judged(started.run, started, verdict, basis)
