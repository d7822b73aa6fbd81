"""Which runs are trials of the same thing: what a RUN or an EXPERIMENT on the command line stands for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import click

from cli.verdict import judge_run
from core.errors import CallError, VipchaosError
from core.records import RunStarted
from core.trial import Trial, settings, values
from store.journal import read_kind
from store.recorded import what_was_run
from store.runs import CONTROLLER, RunDirectory, find_run, home


@dataclass(frozen=True, slots=True)
class Known:
    """A run as far as its beginning tells. `series` are the runs that were made with it as trials, itself included."""

    directory: RunDirectory
    started: RunStarted
    experiments: Mapping[str, float | None]
    settings: Mapping[str, str]
    series: frozenset[str]

    @property
    def order(self) -> tuple[int, str]:
        """Older runs come first."""
        return self.started.wall_ns, self.directory.run

    def is_like(self, other: Known) -> bool:
        """Whether both tried the same experiments with the same settings."""
        return self.experiments.keys() == other.experiments.keys() and self.settings == other.settings


def known_runs() -> list[Known]:
    """Return the user's runs that can be read, oldest first."""
    series = _series()
    found = []
    for path in sorted((home() / "runs").glob("*/")):
        known = _known(RunDirectory(path), series)
        if known is not None:
            found.append(known)
    return sorted(found, key=lambda known: known.order)


def _known(directory: RunDirectory, series: Sequence[frozenset[str]]) -> Known | None:
    try:
        started = next(iter(read_kind(directory.path / f"{CONTROLLER}.db", RunStarted)), None)
        if started is None:
            return None
        inventory, experiments = what_was_run(directory, started)
    except VipchaosError:
        return None
    mine = next((runs for runs in series if directory.run in runs), frozenset({directory.run}))
    limits = {experiment.name: experiment.slower_limit_s for experiment in experiments}
    return Known(directory, started, limits, settings(inventory), mine)


def _series() -> list[frozenset[str]]:
    """Return the runs of each series of trials, as the files of `vipchaos run --trials` tell them."""
    found = []
    for path in sorted((home() / "trials").glob("*/trials.json")):
        try:
            found.append(frozenset(str(trial["run"]) for trial in json.loads(path.read_text("utf-8"))["trials"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # half a file tells no series
    return found


def find(name: str, runs: Sequence[Known]) -> list[Known]:
    """Return what `name` stands for: all runs of an experiment, or one run with its series. Raises CallError."""
    of_it = [known for known in runs if name in known.experiments]
    if of_it:
        return [known for known in of_it if known.settings == of_it[-1].settings]
    directory = find_run(name)
    anchor = next((known for known in runs if known.directory.path == directory.path), None)
    anchor = anchor or _known(directory, [])
    if anchor is None:
        raise CallError(f"run {directory.run}: has no beginning that can be read; it is no trial of anything")
    return [known for known in runs if known.directory.run in anchor.series] or [anchor]


def widened(found: Sequence[Known], runs: Sequence[Known], after: Sequence[Known] = ()) -> list[Known]:
    """Return a set as it is, or with all runs like it up to it where it is one run without a series.

    What is not newer than every run of `after` is left out.
    """
    wide = list(found)
    if len(found) == 1 and len(found[0].series) == 1:
        wide = [known for known in runs if known.is_like(found[0]) and known.order <= found[0].order] or wide
    newest = max((known.order for known in after), default=(-1, ""))
    return [known for known in wide if known.order > newest]


def trials(found: Sequence[Known], experiments: Iterable[str]) -> dict[str, tuple[Trial, ...]]:
    """Judge each run once and return what each experiment gave; one that cannot be judged is told and left out."""
    given: dict[str, list[Trial]] = {name: [] for name in experiments}
    for number, known in enumerate(found, 1):
        click.echo(f"judging run {number} of {len(found)}: {known.directory.run}", err=True)
        try:
            judged = judge_run(known.directory)
        except VipchaosError as error:
            click.echo(f"left out: {error}", err=True)
            continue
        for name, mine in given.items():
            if name in known.experiments:
                what = values(judged.verdict, name)
                mine.append(Trial(known.directory.run, known.started.wall_ns, known.started.version, what))
    return {name: tuple(mine) for name, mine in given.items()}
