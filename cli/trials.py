"""Several runs of the same experiments, one after another, and what they have in common; `vipchaos run --trials`."""

from __future__ import annotations

import dataclasses
import json
import secrets
import time

import click

from cli.controller import Request, run_once
from cli.output import check_writable, write_whole
from cli.verdict import Judged
from core.exit_codes import EXIT_CODES
from core.records import Outcome
from core.trials import STOPPING, summaries, worst
from dashboards.report.junit import Suites, to_junit
from dashboards.report.trials import trials_document, trials_text
from store.runs import home


def run_trials(request: Request, count: int) -> int:
    """Do `count` runs, fewer when one must not be followed by another, and return the worst one's exit code.

    What is known after each run is kept whole as `trials.json`, in a directory of the trials' own beside the runs.
    Raises VipchaosError.
    """
    check_writable(request.json_file, request.junit_file)
    directory = home() / "trials" / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
    once = dataclasses.replace(request, json_file=None, markdown_file=None, junit_file=None, quiet=True)
    judged: list[Judged] = []
    stopped: list[str] = []
    try:
        while len(judged) < count and not stopped:
            click.echo(f"trial {len(judged) + 1} of {count}", err=True)
            judged.append(run_once(once, stopped))
            directory.mkdir(parents=True, exist_ok=True)
            write_whole(directory / "trials.json", _document(judged, count))
            if judged[-1].verdict.outcome in STOPPING:
                break
    finally:
        # Also where a later trial could not begin: what the earlier ones gave is told.
        if judged:
            _publish(judged, count, request)
            click.echo(f"figures: {directory / 'trials.json'}", err=True)
    return EXIT_CODES[worst([each.verdict.outcome for each in judged])]


def _publish(judged: list[Judged], count: int, request: Request) -> None:
    """Write what was asked for, and print the table."""
    if request.json_file:
        write_whole(request.json_file, _document(judged, count))
    if request.junit_file:
        runs = [Suites(each.run, each.started.wall_ns, each.verdict) for each in judged]
        write_whole(request.junit_file, to_junit(runs, of_trials=True))
    found = summaries([each.verdict for each in judged])
    click.echo(trials_text(_outcomes(judged), count, found), nl=False)


def _outcomes(judged: list[Judged]) -> list[tuple[str, Outcome]]:
    return [(each.run, each.verdict.outcome) for each in judged]


def _document(judged: list[Judged], count: int) -> str:
    found = summaries([each.verdict for each in judged])
    return json.dumps(trials_document(_outcomes(judged), count, found), indent=2) + "\n"
