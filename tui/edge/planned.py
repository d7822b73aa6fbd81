"""Looks at game days: their next runs, what will block them, who serves them; files are read when they have changed."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from core.drivers import Drivers
from core.errors import ConfigError, VipchaosError
from core.game_days import GameDay, key
from core.loader import load_game_days, try_planned
from core.schedule import Loaded, Reason, Row, State, next_runs, shown, why_not
from store.ledger import directory, history, served
from store.skips import skipped
from tui.model.standing import PlannedLine, Schedule

SHOWN = 20
ROWS = 200
"""So many rows of the ledger are looked through for how a game day went last."""
_OVER = frozenset({State.FINISHED, State.BLOCKED, State.MISSED, State.ABORTED})


class Planned:
    """The schedule of the file `path`. `drivers` are those that may be named in experiments."""

    def __init__(self, path: Path | None, drivers: Drivers) -> None:
        self._path = path
        self._drivers = drivers
        self._stamps: tuple[object, ...] = ()
        self._game_days: tuple[GameDay, ...] = ()
        self._loaded: dict[str, Loaded] = {}

    def look(self, now: datetime) -> Schedule:
        """Return the next runs after `now` (UTC)."""
        if self._path is None or not self._path.exists():
            return Schedule()
        try:
            self._read(self._path)
            rows = history(directory(), ROWS)
        except (VipchaosError, OSError) as error:
            return Schedule(error=str(error).splitlines()[0])
        skips = skipped(directory())
        last = {row.game_day: row for row in rows if row.state in _OVER}
        lines = []
        for at, game_day in next_runs(self._game_days, now, SHOWN):
            why = why_not(game_day, at, at, self._loaded[game_day.name], skips)
            files = tuple(str(Path(each).resolve()) for each in game_day.experiments)
            lines.append(
                PlannedLine(
                    key(game_day.name, at),
                    game_day.name,
                    at,
                    shown(at, game_day),
                    f"{why.reason}: {why.words}" if why else "",
                    why is not None and why.reason == Reason.SKIPPED,
                    _last(last.get(game_day.name)),
                    str(Path(game_day.inventory).resolve()),
                    files,
                )
            )
        return Schedule(str(self._path), tuple(lines), served(directory()))

    def _read(self, path: Path) -> None:
        if self._stamps and self._stamps == self._files():
            return
        self._game_days = load_game_days(path)
        self._loaded = {game_day.name: try_planned(game_day, self._drivers) for game_day in self._game_days}
        self._stamps = self._files()

    def _files(self) -> tuple[object, ...]:
        """Return all files that the schedule is made from, with when each was changed last."""
        names = chain.from_iterable((each.inventory, *each.experiments) for each in self._game_days)
        return tuple(sorted((name, _stamp(Path(name))) for name in {str(self._path), *names}))


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _last(row: Row | None) -> str:
    if row is None:
        return "-"
    return f"{row.outcome or row.state} {row.planned.astimezone(UTC):%m-%d %H:%M}"


def first_game_days(directory_of: Path | None) -> Path | None:
    """Return the first file of game days in a directory, or None."""
    for path in sorted(directory_of.glob("*.yaml")) if directory_of else ():
        if is_game_days(path):
            return path
    return None


def is_game_days(path: Path) -> bool:
    """Whether a file lists game days."""
    try:
        load_game_days(path)
    except ConfigError:
        return False
    return True
