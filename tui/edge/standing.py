"""Looks at what stands on this machine, on a thread of its own: leases, kill switch, past runs, audit, experiments."""

from __future__ import annotations

import importlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

from core.audit import Entry
from core.drivers import Drivers
from core.errors import ConfigError, VipchaosError
from core.experiment import Experiment
from core.inventory import Inventory
from core.loader import load_experiments, load_game_days, load_inventory
from store.audit import Audit, audit_file
from store.runs import home
from tui.model.standing import ExperimentLine, RunLine, Standing

LOOK_S = 0.5
WANTED_SOON = (
    *[f"tui.screens.{name}" for name in ("failovers", "sessions", "chaos", "runs", "health")],
    "tui.dialogs.help",
    "tui.dialogs.line",
    "tui.dialogs.export",
)
"""Imported once the first picture is there, so that the first key that needs one does not wait for it."""
MOST_RUNS = 200
MOST_ENTRIES = 200


class Watchman(threading.Thread):
    """Posts what stands, twice a second where it changes by the second, else when it has changed."""

    def __init__(self, inventory: Path | None, experiments: Path | None, post: Callable[[Standing], object]) -> None:
        super().__init__(name="standing", daemon=True)
        self._inventory = inventory
        self._experiments = experiments
        self._post = post
        self._stop = threading.Event()
        self._runs: dict[Path, tuple[int, RunLine]] = {}
        self._audit: tuple[int, tuple[Entry, ...]] = (0, ())

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()

    def run(self) -> None:
        """Look until stopped."""
        for module in WANTED_SOON:
            importlib.import_module(module)
        from chaos import lease, switch

        experiments = read_experiments(self._inventory, self._experiments)
        last: Standing | None = None
        while not self._stop.is_set():
            error, out = "", []
            for _, each in lease.read_all():
                if isinstance(each, lease.LeaseError):
                    error = str(each)
                else:
                    out.append(each)
            guard = (lease.DIRECTORY.parent / "guard.sock").exists()
            found = Standing(
                now_ns=time.monotonic_ns() if out else 0,
                leases=tuple(out),
                stopped=switch.reason(),
                guard=guard,
                runs=self._run_lines(),
                audit=self._entries(),
                experiments=experiments,
                error=error,
            )
            if found != last:
                self._post(found)
                last = found
            self._stop.wait(LOOK_S)

    def _run_lines(self) -> tuple[RunLine, ...]:
        """Return the past runs, newest first; each is read once it has an outcome, and again when that changes."""
        lines = []
        for path in sorted((home() / "runs").glob("*/"), reverse=True)[:MOST_RUNS]:
            outcome = path / "outcome.json"
            try:
                stamp = outcome.stat().st_mtime_ns
            except OSError:
                lines.append(RunLine(path.name, "", "", str(path)))
                continue
            known = self._runs.get(path)
            if known is None or known[0] != stamp:
                known = self._runs[path] = (stamp, _run_line(path, outcome))
            lines.append(known[1])
        return tuple(lines)

    def _entries(self) -> tuple[Entry, ...]:
        path = audit_file()
        try:
            stamp = path.stat().st_mtime_ns
        except OSError:
            return ()
        if stamp != self._audit[0]:
            try:
                found = [entry for entry in Audit(path).read() if isinstance(entry, Entry)]
            except VipchaosError:
                found = []
            self._audit = (stamp, tuple(reversed(found[-MOST_ENTRIES:])))
        return self._audit[1]


def _run_line(path: Path, outcome: Path) -> RunLine:
    """Return a run as its outcome.json tells it (docs/outcome.md)."""
    try:
        document = json.loads(outcome.read_text())
        verdicts: dict[str, tuple[int, int, int]] = {}
        for each in document["verdicts"]:
            held, broken, unknown = verdicts.get(each["experiment"], (0, 0, 0))
            word = each["verdict"]
            verdicts[each["experiment"]] = (
                held + (word == "held"),
                broken + (word == "broken"),
                unknown + (word == "unknown"),
            )
        planes: dict[str, tuple[float, float]] = {}
        for event in document["events"]:
            found = [vantage["data_plane"] for vantage in event["vantages"].values() if vantage["data_plane"]]
            if found:
                worst = max(found, key=lambda one: one["upper_s"])
                planes[f"{event['experiment']} {event['kind']}"] = (worst["lower_s"], worst["upper_s"])
        return RunLine(path.name, document["outcome"], document["reason"], str(path), verdicts, planes)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return RunLine(path.name, "unreadable", f"outcome.json: {error!r}", str(path))


def read_experiments(inventory_file: Path | None, directory: Path | None) -> tuple[ExperimentLine, ...]:
    """Return the experiments of a directory; one that reverts another is read together with that one."""
    from chaos.drivers import DECLARED

    if inventory_file is None or directory is None:
        return ()
    try:
        inventory = load_inventory(inventory_file)
    except ConfigError as error:
        return (ExperimentLine("", str(error).splitlines()[0], (), ()),)
    files = [path for path in sorted(directory.glob("*.yaml")) if path.resolve() != inventory_file.resolve()]
    good: list[tuple[Path, Experiment]] = []
    failed: list[tuple[Path, str]] = []
    for path in files:
        try:
            good.append((path, load_experiments([path], inventory, DECLARED)[0]))
        except ConfigError as error:
            if not _is_game_days(path):
                failed.append((path, str(error).splitlines()[0]))
    lines = [ExperimentLine(found.name, found.title, (found,), (str(path),)) for path, found in good]
    return (*lines, *[_together(path, why, good, inventory, DECLARED) for path, why in failed])


def _is_game_days(path: Path) -> bool:
    try:
        load_game_days(path)
    except ConfigError:
        return False
    return True


def _together(
    path: Path, why: str, good: list[tuple[Path, Experiment]], inventory: Inventory, drivers: Drivers
) -> ExperimentLine:
    for before, _ in good:
        try:
            found = load_experiments([before, path], inventory, drivers)
        except ConfigError:
            continue
        return ExperimentLine(found[-1].name, found[-1].title, found, (str(before), str(path)))
    return ExperimentLine(path.stem, why, (), ())
