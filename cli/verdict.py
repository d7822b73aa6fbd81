"""Judging a run from its journals, and the three forms of the outcome."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from chaos.dry import DRY_RUN
from core.errors import CallError
from core.judge import RunVerdict, judge
from core.loader import parse_inventory, parse_past_experiments
from core.records import Outcome, RunStarted
from dashboards.report.document import to_document
from dashboards.report.junit import Suites, to_junit
from dashboards.report.markdown import to_markdown
from dashboards.report.text import to_text
from store.runs import RunDirectory

EXIT_CODES: Mapping[Outcome, int] = MappingProxyType(
    {
        Outcome.PASSED: 0,
        Outcome.FAILED: 1,
        Outcome.BLOCKED: 3,
        Outcome.MISSED: 3,
        Outcome.INCONCLUSIVE: 5,
        Outcome.REVERT_FAILED: 7,
        Outcome.ABORTED: 8,
    }
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A judged run, ready to be shown."""

    run: str
    started: RunStarted
    verdict: RunVerdict

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


def exit_code(judged: Judged) -> int:
    """Return what a command ends with that has done this run: 0 also for a dry run that came to its end."""
    return 0 if judged.verdict.reason_code == DRY_RUN else EXIT_CODES[judged.verdict.outcome]


def judge_run(run: RunDirectory) -> Judged:
    """Judge a run from its journals alone.

    Raises CallError for a run without a beginning, JournalError for one that cannot be read.
    """
    records = run.read_all()
    started = next((record for record in records if isinstance(record, RunStarted)), None)
    if started is None:
        raise CallError(f"run {run.run}: its journal has no beginning; there is nothing to judge")
    inventory = parse_inventory(started.inventory, f"{run.run}/inventory")
    texts = [(f"{run.run}/experiment-{number}", text) for number, text in enumerate(started.experiments, 1)]
    experiments = parse_past_experiments(texts, inventory)
    return Judged(started.run, started, judge(records, inventory, experiments))
