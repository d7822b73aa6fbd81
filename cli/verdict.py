"""Judging a run from its directory: records, captures where there are any, and the three forms of the outcome."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core.errors import CallError
from core.judge import RunVerdict, judge
from core.loader import parse_experiments, parse_inventory
from core.records import Opened, OutageEnded, Outcome, ProbeStarted, Record, RunStarted
from core.truth import Comparison, compare
from dashboards.report.document import to_document
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
    captures: tuple[Comparison, ...] | None

    def text(self, color: bool) -> str:
        """Return table and verdict for a terminal."""
        return to_text(self.run, self.verdict, self.captures, color)

    def markdown(self) -> str:
        """Return the report file's text."""
        return to_markdown(self.run, self.verdict, self.captures, self.started.inventory, self.started.experiments)

    def json(self) -> str:
        """Return the documented JSON document."""
        return json.dumps(to_document(self.run, self.verdict, self.captures), indent=2) + "\n"


def judge_run(run: RunDirectory, captured: bool) -> Judged:
    """Judge a run from its journals; `captured` compares with its packet captures as well.

    Raises CallError for a run without a beginning, JournalError for one that cannot be read.
    """
    records = run.read_all()
    started = next((record for record in records if isinstance(record, RunStarted)), None)
    if started is None:
        raise CallError(f"run {run.run}: its journal has no beginning; there is nothing to judge")
    inventory = parse_inventory(started.inventory, f"{run.run}/inventory")
    texts = [(f"{run.run}/experiment-{number}", text) for number, text in enumerate(started.experiments, 1)]
    verdict = judge(records, inventory, parse_experiments(texts, inventory))
    captures = _compare(run, records) if captured else None
    return Judged(started.run, started, verdict, captures)


def _compare(run: RunDirectory, records: list[Record]) -> tuple[Comparison, ...]:
    from probe.capture import answers_by_port

    found: list[Comparison] = []
    for probe in (record for record in records if isinstance(record, ProbeStarted)):
        mine = [record for record in records if getattr(record, "vantage", "") == probe.vantage]
        ports: dict[int, list[int]] = {}
        for record in mine:
            if isinstance(record, Opened) and not record.held_kernel:
                ports.setdefault(record.slot, []).append(record.source_port)
        answers = answers_by_port(run.path / f"{probe.vantage}.pcap", probe.wall_ns - probe.t_ns)
        outages = [record for record in mine if isinstance(record, OutageEnded)]
        found += compare(outages, answers, ports)
    return tuple(found)
