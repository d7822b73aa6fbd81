"""From YAML text to a checked inventory, checked experiments and game days, or to every problem with its line.

All problems of a file are reported at once, as `file:line: key path: what is wrong, allowed: what is allowed`.
Nothing is loaded of a file that has one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from core.caps_reader import read_caps
from core.drivers import Drivers
from core.duration import longest
from core.errors import ConfigError
from core.experiment import Experiment
from core.experiment_reader import read_experiment
from core.game_day_reader import read_game_days
from core.game_days import GameDay
from core.inventory import Inventory
from core.inventory_reader import read_inventory
from core.lease_rules import Caps
from core.member_reader import Membership, read_member
from core.rails import Rails
from core.yaml_nodes import LARGEST_BYTES, Mapping, Problems, parse

T = TypeVar("T")


def read_text(path: Path) -> str:
    """Return the text of a file. Raises ConfigError when it is missing, too large or not UTF-8."""
    source = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{source}:1: (file): cannot be read ({error.strerror}), allowed: a readable file") from error
    if len(data) > LARGEST_BYTES:
        raise ConfigError(f"{source}:1: (file): is too large, allowed: at most {LARGEST_BYTES} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{source}:{line}: (file): is not UTF-8, allowed: UTF-8 text") from error


def load_inventory(path: Path) -> Inventory:
    """Return the inventory in the file at `path`. Raises ConfigError."""
    return parse_inventory(read_text(path), str(path))


def parse_inventory(text: str, source: str) -> Inventory:
    """Return the inventory that `text` is; `source` names it in messages. Raises ConfigError."""
    return _parsed(text, source, read_inventory)


def load_caps(path: Path) -> Caps:
    """Return the caps in a guard's own file. Raises ConfigError."""
    return parse_caps(read_text(path), str(path))


def parse_caps(text: str, source: str) -> Caps:
    """Return the caps that `text` is; `source` names it in messages. Raises ConfigError."""
    return _parsed(text, source, read_caps)


def caps(path: Path) -> Caps:
    """Return the caps in the guard's file; the default ones where there is no such file. Raises ConfigError."""
    return load_caps(path) if path.exists() else Caps()


def load_member(path: Path) -> Membership:
    """Return what a member of the bus is told by its file. Raises ConfigError."""
    return _parsed(read_text(path), str(path), read_member)


def _parsed(text: str, source: str, read: Callable[[Mapping, Problems], T | None]) -> T:
    problems = Problems(source)
    root = parse(text, problems)
    found = read(root, problems) if root is not None else None
    problems.raise_if_any()
    assert found is not None, "nothing found, and no problem"
    return found


def load_experiments(paths: Sequence[Path], inventory: Inventory, drivers: Drivers) -> tuple[Experiment, ...]:
    """Return the experiments in the files at `paths`, in that order. `drivers`: those that there are.

    Raises ConfigError with the problems of all.
    """
    texts: list[tuple[str, str | ConfigError]] = []
    for path in paths:
        try:
            texts.append((str(path), read_text(path)))
        except ConfigError as unreadable:
            texts.append((str(path), unreadable))
    return parse_experiments(texts, inventory, drivers)


def load_all(inventory_file: Path, paths: Sequence[Path], drivers: Drivers) -> tuple[Inventory, tuple[Experiment, ...]]:
    """Return the inventory and the experiments. Raises ConfigError with the problems of all files.

    With an inventory that has problems, experiments are only read as YAML: what they name cannot be looked up.
    """
    try:
        inventory = load_inventory(inventory_file)
    except ConfigError as refused:
        lines = [str(refused)]
        for path in paths:
            problems = Problems(str(path))
            try:
                parse(read_text(path), problems)
                problems.raise_if_any()
            except ConfigError as unreadable:
                lines.append(str(unreadable))
        raise ConfigError("\n".join(lines)) from refused
    return inventory, load_experiments(paths, inventory, drivers)


def parse_experiments(
    texts: Sequence[tuple[str, str | ConfigError]], inventory: Inventory, drivers: Drivers
) -> tuple[Experiment, ...]:
    """Return the experiments in `texts`, pairs of (source, text, or why there is none).

    Raises ConfigError with the problems of all; what follows from another file's problem alone is none.
    """
    return _experiments(texts, inventory, drivers)


def parse_past_experiments(texts: Sequence[tuple[str, str]], inventory: Inventory) -> tuple[Experiment, ...]:
    """Return experiments that have been run, to be judged: their faults without the arguments.

    They may have been run by a version that asked for less, or with a driver that is not there any more.
    """
    return _experiments(texts, inventory, None)


def _experiments(
    texts: Sequence[tuple[str, str | ConfigError]], inventory: Inventory, drivers: Drivers | None
) -> tuple[Experiment, ...]:
    experiments: list[Experiment] = []
    lines: list[str] = []
    whole = True
    for source, text in texts:
        if isinstance(text, ConfigError):
            lines.append(str(text))
            whole = False
            continue
        problems = Problems(source)
        root = parse(text, problems)
        experiment = read_experiment(root, problems, inventory, drivers, experiments, whole) if root else None
        whole = whole and experiment is not None
        lines += problems.lines()
        if experiment is not None:
            experiments.append(experiment)
    if lines:
        raise ConfigError("\n".join(lines))
    return tuple(experiments)


def load_game_days(path: Path) -> tuple[GameDay, ...]:
    """Return the game days in the file at `path`. Raises ConfigError."""
    return parse_game_days(read_text(path), str(path))


def parse_game_days(text: str, source: str) -> tuple[GameDay, ...]:
    """Return the game days that `text` is; the paths in it are relative to that of `source`. Raises ConfigError."""
    return _parsed(text, source, read_game_days)


def load_planned(game_day: GameDay, drivers: Drivers) -> tuple[Rails, timedelta]:
    """Return the guard rails of a game day's inventory, and how long its run may take. Raises ConfigError."""
    inventory = load_inventory(Path(game_day.inventory))
    experiments = load_experiments([Path(path) for path in game_day.experiments], inventory, drivers)
    return inventory.rails, longest(experiments)


def try_planned(game_day: GameDay, drivers: Drivers) -> tuple[Rails, timedelta] | ConfigError:
    """Return what `load_planned` does, or its error: one game day that cannot be read stops no other."""
    try:
        return load_planned(game_day, drivers)
    except ConfigError as error:
        return error
