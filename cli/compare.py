"""The command `compare`: whether failovers are slower than they were."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.output import check_writable, write_whole
from core.comparison import Speed
from core.errors import CallError
from core.trial import Comparison, Trial
from core.trial import compare as compare_trials

if TYPE_CHECKING:
    from cli.trial_sets import Known

SLOWER, UNSURE = 1, 5


@dataclass(frozen=True, slots=True)
class Sides:
    """Two sets of trials by experiment, and what the newer runs allow."""

    older: Mapping[str, Sequence[Trial]]
    newer: Mapping[str, Sequence[Trial]]
    limits: Mapping[str, float | None]
    told: str


@click.command()
@click.option("--json", "json_file", help="Write the comparison to FILE ('-': standard output, instead of the table).")
@click.argument("older", metavar="RUN|EXPERIMENT")
@click.argument("newer", metavar="[RUN]", required=False)
def compare(json_file: str | None, older: str, newer: str | None) -> None:
    """Hold RUN against its baseline, or, with two, the second RUN against the first.

    RUN stands for its series of trials; one without a series for the runs like it (the same experiments, VIP and
    vantages), up to it and back to the other side. Exits with 1 when slower by more than `slower_limit_s` of the
    experiment, with 5 when there are not enough trials to tell.

    \b
    Examples:
      vipchaos compare last
      vipchaos compare 20261118 20261125
      vipchaos compare node-failover --json compared.json
    """
    check_writable(Path(json_file) if json_file and json_file != "-" else None)
    sides = _against_baseline(older) if newer is None else _two(older, newer)
    found = [
        comparison
        for experiment, mine in sides.newer.items()
        for comparison in compare_trials(experiment, sides.older[experiment], mine, sides.limits.get(experiment))
    ]
    document = json.dumps(_document(sides, found), indent=2) + "\n"
    if json_file == "-":
        click.echo(document, nl=False)
    else:
        if json_file:
            write_whole(Path(json_file), document)
        click.echo(sides.told)
        click.echo(table(found), nl=False)
    sys.exit(exit_code(found))


def exit_code(found: Sequence[Comparison]) -> int:
    """Return 1 where a limit is broken, 5 where nobody can tell yet, 0 otherwise."""
    if any(comparison.beyond for comparison in found):
        return SLOWER
    unsure = not found or any(comparison.speed is Speed.NOT_ENOUGH for comparison in found)
    return UNSURE if unsure else 0


def _against_baseline(name: str) -> Sides:
    from cli.trial_sets import find, known_runs, trials, widened
    from store.baselines import read

    runs = known_runs()
    found = find(name, runs)
    wanted = [name] if name in found[-1].experiments else list(found[-1].experiments)
    baselines = {experiment: each for experiment in wanted if (each := read(experiment)) is not None}
    if not baselines:
        raise CallError(f"no baseline of {', '.join(wanted)}; `vipchaos baseline set RUN` sets one")
    taken = {trial.run for each in baselines.values() for trial in each.trials}
    for experiment, each in baselines.items():
        _comparable(experiment, each.settings, found[-1].settings)
    before = [known for known in runs if known.directory.run in taken]
    newer = [known for known in widened(found, runs, before) if known.directory.run not in taken]
    if not newer:
        raise CallError(f"{name}: is in the baseline itself, or older; run the experiment again")
    told = f"{len(newer)} newer runs against the baseline"
    older = {experiment: each.trials for experiment, each in baselines.items()}
    return Sides(older, trials(newer, baselines), newer[-1].experiments, told)


def _two(first: str, second: str) -> Sides:
    from cli.trial_sets import find, known_runs, trials, widened

    runs = known_runs()
    older = widened(find(first, runs), runs)
    newer = widened(find(second, runs), runs, older if first != second else ())
    newer = [known for known in newer if known not in older]
    if not newer:
        raise CallError(f"{second}: is not newer than {first}, or is among its trials; the older one comes first")
    shared = [name for name in newer[-1].experiments if name in older[-1].experiments]
    if not shared:
        raise CallError(f"{first} and {second} have no experiment in common: {_names(older)}; {_names(newer)}")
    _comparable(shared[0], older[-1].settings, newer[-1].settings)
    told = f"{len(newer)} newer runs against {len(older)} older ones"
    return Sides(trials(older, shared), trials(newer, shared), newer[-1].experiments, told)


def _names(found: Sequence[Known]) -> str:
    return ", ".join(found[-1].experiments)


def _comparable(experiment: str, older: Mapping[str, str], newer: Mapping[str, str]) -> None:
    """Refuse what was measured in another way: the period of the heartbeats is in every figure."""
    if older != newer:
        differs = [name for name in {**older, **newer} if older.get(name) != newer.get(name)]
        words = "; ".join(f"{name}: {older.get(name, 'none')}, now {newer.get(name, 'none')}" for name in differs)
        raise CallError(f"{experiment}: was measured in another way, and cannot be compared: {words}")


_ROW = "  {:<28} {:<17} {:>13} {:>13} {:>9}  {:<26} {}"


def table(found: Sequence[Comparison]) -> str:
    """Return the comparisons as a table; medians are followed by the number of trials."""
    lines: list[str] = []
    for experiment in dict.fromkeys(comparison.experiment for comparison in found):
        lines += [
            experiment,
            _ROW.format("seconds", "verdict", "median, was", "median, is", "shift", "interval", "limit"),
        ]
        lines += [_line(comparison) for comparison in found if comparison.experiment == experiment]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _line(comparison: Comparison) -> str:
    found = comparison.found
    limit = "-" if comparison.limit_s is None else f"+{comparison.limit_s:g}"
    limit += " EXCEEDED" if comparison.beyond else ""
    if found is None:
        return _ROW.format(comparison.figure, comparison.speed, "-", "-", "-", "no figure on one side", limit)
    bounds = "none: takes 4 and 4, 3 and 5"
    if found.low is not None and found.high is not None:
        bounds = f"{found.low:+.3f} .. {found.high:+.3f} ({found.confidence:.0%})"
    medians = (f"{found.median_older:.3f} ({found.older})", f"{found.median_newer:.3f} ({found.newer})")
    return _ROW.format(comparison.figure, comparison.speed, *medians, f"{found.estimate:+.3f}", bounds, limit)


def _document(sides: Sides, found: Sequence[Comparison]) -> dict[str, object]:
    return {
        "schema": 1,
        "older": {name: [trial.run for trial in side] for name, side in sides.older.items()},
        "newer": {name: [trial.run for trial in side] for name, side in sides.newer.items()},
        "compared": [
            {
                "experiment": each.experiment,
                "figure": each.figure,
                "verdict": each.speed,
                "beyond_limit": each.beyond,
                "slower_limit_s": each.limit_s,
                "older_trials": each.found.older if each.found else 0,
                "newer_trials": each.found.newer if each.found else 0,
                "median_older_s": each.found.median_older if each.found else None,
                "median_newer_s": each.found.median_newer if each.found else None,
                "shift_s": each.found.estimate if each.found else None,
                "low_s": each.found.low if each.found else None,
                "high_s": each.found.high if each.found else None,
                "confidence": each.found.confidence if each.found else None,
            }
            for each in found
        ],
    }
