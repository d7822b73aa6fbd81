"""A game day: which experiments are run when, and from which instants that is. Values, and their calendar."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.clock_changes import instant, local, midnight
from core.cron import Cron
from core.windows import DAY, WEEKDAYS, Freeze, clock

MINUTE = timedelta(minutes=1)
_LAST_YEAR = 2200


class Every(enum.StrEnum):
    """How often a random time is drawn."""

    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True, slots=True)
class Once:
    """One local time."""

    wall: datetime

    def walls(self, name: str, since: datetime) -> Iterator[datetime]:
        """Yield it, if it is not before `since`."""
        del name
        if self.wall >= since:
            yield self.wall

    @property
    def words(self) -> str:
        """The timing as the ledger keeps it."""
        return f"once {self.wall:%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True)
class Repeated:
    """The local times of a cron line."""

    cron: Cron

    def walls(self, name: str, since: datetime) -> Iterator[datetime]:
        """Yield those from `since` on."""
        del name
        return self.cron.walls(since)

    @property
    def words(self) -> str:
        """The timing as the ledger keeps it."""
        return f"cron {self.cron.text}"


@dataclass(frozen=True, slots=True)
class Random:
    """One local time each day or each week, drawn to the second from `opens` to `closes` of one of `weekdays`.

    The draw is SHA-256 of seed, name and first day of the period: the same on every machine and in every version.
    """

    every: Every
    weekdays: frozenset[int]
    opens: timedelta
    closes: timedelta
    seed: int

    def walls(self, name: str, since: datetime) -> Iterator[datetime]:
        """Yield those from `since` on."""
        week = self.every is Every.WEEK
        period = since.date() - 2 * DAY
        if week:
            period -= timedelta(days=period.weekday() + 7)
        while period.year < _LAST_YEAR:
            if week or period.weekday() in self.weekdays:
                wall = self.drawn(name, period)
                if wall >= since:
                    yield wall
            period += 7 * DAY if week else DAY

    def drawn(self, name: str, period: date) -> datetime:
        """Return the draw of game day `name` for the day, or for the week that begins on the Monday, `period`."""
        length = self.closes - self.opens
        length_s = int((length if length > timedelta(0) else length + DAY).total_seconds())
        days = [timedelta(days=day) for day in sorted(self.weekdays)] if self.every is Every.WEEK else [timedelta(0)]
        digest = hashlib.sha256(f"{self.seed}/{name}/{period}".encode()).digest()
        place = int.from_bytes(digest[:16]) % (length_s * len(days))
        return midnight(period) + days[place // length_s] + self.opens + timedelta(seconds=place % length_s)

    @property
    def words(self) -> str:
        """The timing as the ledger keeps it: all that the draw can be repeated from, with the name."""
        days = ",".join(WEEKDAYS[day] for day in sorted(self.weekdays))
        return f"random every {self.every} {days} {clock(self.opens)}-{clock(self.closes)} seed {self.seed}"


@dataclass(frozen=True, slots=True)
class GameDay:
    """Experiments that are run by plan. `grace` is how late they may still start; `inventory`, `experiments`: files."""

    name: str
    inventory: str
    experiments: tuple[str, ...]
    when: Once | Repeated | Random
    zone: ZoneInfo
    pauses: tuple[Freeze, ...]
    grace: timedelta
    enabled: bool

    @property
    def timing(self) -> str:
        """All that the planned instants come from, in one line."""
        return f"{self.when.words} {self.zone.key}"

    def runs_after(self, after: datetime) -> Iterator[datetime]:
        """Yield the planned instants (UTC) later than `after`, each once, in order.

        A local time that a change of the clocks skips is planned for the instant of the change, and one that it
        repeats for its first instant.
        """
        since = local(after, self.zone) - MINUTE
        for wall in self.when.walls(self.name, since):
            at = instant(wall, self.zone)
            if at > after:
                yield at
                after = at


def key(name: str, planned: datetime) -> str:
    """Return what names one planned run, in files and in the run's directory."""
    return f"{name}-{planned.astimezone(UTC):%Y%m%dT%H%M%SZ}"
