"""The baselines of a user: for each experiment the trials that later ones are held against, a JSON file each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import CallError
from core.trial import Trial
from store.runs import home

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Baseline:
    """What an experiment's later trials are held against. The values stay, also when the runs are deleted."""

    experiment: str
    set_wall_ns: int
    settings: Mapping[str, str]
    trials: tuple[Trial, ...]


def path_of(experiment: str) -> Path:
    """Return where the baseline of an experiment is, or would be."""
    return home() / "baselines" / f"{experiment}.json"


def to_text(baseline: Baseline) -> str:
    """Return a baseline as its file has it."""
    document = {
        "schema": SCHEMA,
        "experiment": baseline.experiment,
        "set_wall_ns": baseline.set_wall_ns,
        "settings": dict(baseline.settings),
        "trials": [
            {
                "run": trial.run,
                "started_wall_ns": trial.started_wall_ns,
                "version": trial.version,
                "values_s": dict(trial.values),
            }
            for trial in baseline.trials
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def read(experiment: str) -> Baseline | None:
    """Return the baseline of an experiment, None where none is set. Raises CallError when its file makes no sense."""
    path = path_of(experiment)
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    try:
        found = json.loads(text)
        if found["schema"] != SCHEMA:
            raise CallError(f"{path}: is of another version of vipchaos; `vipchaos baseline set` writes it anew")
        trials = tuple(
            Trial(
                str(each["run"]),
                int(each["started_wall_ns"]),
                str(each["version"]),
                {str(name): None if value is None else float(value) for name, value in each["values_s"].items()},
            )
            for each in found["trials"]
        )
        settings = {str(name): str(value) for name, value in found["settings"].items()}
        return Baseline(str(found["experiment"]), int(found["set_wall_ns"]), settings, trials)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CallError(f"{path}: makes no sense ({error!r}); `vipchaos baseline set` writes it anew") from error


def all_of_them() -> list[Baseline]:
    """Return every baseline, by experiment. Raises CallError."""
    paths = sorted((home() / "baselines").glob("*.json"))
    return [baseline for path in paths if (baseline := read(path.stem)) is not None]
