"""Looks at what stands on this machine, on a own thread: leases, kill switch, runs, audit, schedule, shippers."""

from __future__ import annotations

import importlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from core.audit import Entry
from core.drivers import Drivers
from core.errors import ConfigError, VipchaosError
from core.experiment import Experiment
from core.inventory import Inventory
from core.loader import load_experiments, load_inventory
from store.audit import Audit, audit_file
from store.runs import home
from tui.edge.planned import Planned, first_game_days, is_game_days
from tui.model.standing import ExperimentLine, RunLine, ShipperLine, Standing

T = TypeVar("T")
LOOK_S = 0.5
SCHEDULE_S = 2.0
SHIPPERS_S = 10.0
"""The lag of shipping is counted in every journal, so not often; the shipper tells no more often itself."""
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

    def __init__(
        self,
        inventory: Path | None,
        experiments: Path | None,
        post: Callable[[Standing], object],
        game_days: Path | None = None,
    ) -> None:
        super().__init__(name="standing", daemon=True)
        self._inventory = inventory
        self._experiments = experiments
        self._post = post
        self._stop = threading.Event()
        self._runs: dict[Path, tuple[int, RunLine]] = {}
        self._audit: tuple[int, tuple[Entry, ...]] = (0, ())
        self._game_days = game_days
        self._now = threading.Event()

    def look_now(self) -> None:
        """Look at once: something was changed that is to be seen."""
        self._now.set()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._now.set()

    def run(self) -> None:
        """Look until stopped."""
        for module in WANTED_SOON:
            importlib.import_module(module)
        from chaos import lease, switch
        from chaos.drivers import DECLARED
        from chaos.wall import wall_now

        experiments = read_experiments(self._inventory, self._experiments)
        planned = Planned(self._game_days or first_game_days(self._experiments), DECLARED)
        schedule = Seldom(SCHEDULE_S, lambda: planned.look(wall_now()))
        shippers = Seldom(SHIPPERS_S, read_shippers)
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
                schedule=schedule.value(anew=self._now.is_set()),
                shippers=shippers.value()[0],
                shippers_error=shippers.value()[1],
                error=error,
            )
            self._now.clear()
            if found != last:
                self._post(found)
                last = found
            self._now.wait(LOOK_S)

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


class Seldom(Generic[T]):
    """What is asked for often and looked at every `every_s` seconds only, or `anew`."""

    def __init__(self, every_s: float, look: Callable[[], T]) -> None:
        self._every_s = every_s
        self._look = look
        self._known: tuple[float, T] | None = None

    def value(self, anew: bool = False) -> T:
        """Return what was seen last."""
        now_s = time.monotonic()
        if self._known is None or anew or now_s - self._known[0] >= self._every_s:
            self._known = (now_s, self._look())
        return self._known[1]


def read_shippers() -> tuple[tuple[ShipperLine, ...], str]:
    """Return how each shipper stands, and what keeps that from being told, or ''."""
    from store.shipping import shippings

    try:
        found = shippings(time.time_ns())
    except VipchaosError as error:
        return (), str(error)
    lines = [
        ShipperLine(
            one.standing.destination,
            one.standing.state,
            one.standing.words,
            one.told_s_ago,
            one.lag_records,
            one.lag_s,
            one.dead_letters,
            one.standing.rate_per_s,
        )
        for one in found
    ]
    return tuple(lines), ""


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
            if not is_game_days(path):
                failed.append((path, str(error).splitlines()[0]))
    lines = [ExperimentLine(found.name, found.title, (found,), (str(path),)) for path, found in good]
    return (*lines, *[_together(path, why, good, inventory, DECLARED) for path, why in failed])


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
