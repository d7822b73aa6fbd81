"""What is to be done about planned runs: pure decisions from the plan, the ledger's last row and an instant.

A planned run has one end: FINISHED, MISSED, BLOCKED or ABORTED. At most one late run of a game day is started,
the newest that is not later than its grace; every other one is a MISSED row.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain

from core.clock_changes import local
from core.errors import ConfigError
from core.game_days import GameDay, key
from core.rails import Rails
from core.refusals import Refusal
from core.windows import blocked

MOST_MISSED = 100
"""So many missed runs of one game day are rows of their own; the ones before them are one row together."""
MOST_COUNTED = 100_000


class State(enum.StrEnum):
    """What the ledger says of a planned run."""

    PLANNED = "PLANNED"
    STARTED = "STARTED"
    FINISHED = "FINISHED"
    MISSED = "MISSED"
    BLOCKED = "BLOCKED"
    ABORTED = "ABORTED"


class Reason:
    """The reason codes of rows, beside those of refusals."""

    LATE = "late"
    STILL_RUNNING = "still_running"
    MANY = "many"
    PLAN_CHANGED = "plan_changed"
    NOT_PLANNED = "not_planned"
    PAUSED = "paused"
    SKIPPED = "skipped"
    ALREADY_STARTED = "already_started"
    BAD_CONFIGURATION = "bad_configuration"
    STOPPED = "stopped"
    SERVE_DIED = "serve_died"
    RUN_ENDED = "run_ended"


ANEW = frozenset({Reason.PLAN_CHANGED, Reason.NOT_PLANNED})
"""After a row with one of these the game day is planned anew from the present."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the ledger: what became of the run of `game_day` planned for `planned` (UTC), known at `at` (UTC).

    `timing` is what `planned` came from; `run` and `outcome` are those of the run, or ''.
    """

    game_day: str
    planned: datetime
    state: State
    at: datetime
    timing: str
    reason: str = ""
    words: str = ""
    run: str = ""
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """Rows to write, and then the planned run to start or to refuse, which has a PLANNED row by then, or None."""

    rows: tuple[Row, ...] = ()
    due: datetime | None = None


def decide(game_day: GameDay, last: Row | None, now: datetime, *, busy: bool) -> Decision:
    """Return what is to be done about `game_day`, whose last row is `last` and which is not running, at `now`.

    While another game day runs (`busy`) nothing is due; what is in its grace waits.
    """
    if last is not None and last.state is State.PLANNED:
        if last.timing != game_day.timing and not _still_planned(game_day, last.planned, now):
            words = "the game day is planned for other times now"
            row = replace(last, state=State.MISSED, at=now, reason=Reason.PLAN_CHANGED, words=words)
            return Decision((row, *_plan(game_day, now, now)))
        if last.planned > now:
            return Decision()
        dues = _Dues.of(chain([last.planned], game_day.runs_after(last.planned)), now)
        return _account(game_day, dues, now, busy, None, last.planned)
    if last is None or last.reason in ANEW or last.timing != game_day.timing:
        return Decision(_plan(game_day, now, now))
    dues = _Dues.of(game_day.runs_after(last.planned), now)
    if not dues.listed:
        return Decision(_plan(game_day, max(now, last.planned), now))
    return _account(game_day, dues, now, busy, last.at if last.state in (State.FINISHED, State.ABORTED) else None)


def withdrawn(last: Row, now: datetime) -> Row:
    """Return the row of a planned run whose game day is gone from the file, or not enabled."""
    words = "the game day is not in the file any more, or not enabled"
    return replace(last, state=State.MISSED, at=now, reason=Reason.NOT_PLANNED, words=words)


def refusal(game_day: GameDay, rails: Rails, begin: datetime, duration: timedelta) -> Refusal | None:
    """Return why a run of `game_day` that begins at `begin` and may last `duration` must not be, or None."""
    for pause in game_day.pauses:
        if pause.touches(begin, begin + duration):
            return Refusal(Reason.PAUSED, pause.words)
    return blocked(rails.windows, rails.freezes, begin, duration)


Loaded = tuple[Rails, timedelta] | ConfigError
"""What a planned run's files say: guard rails and longest duration, or why they cannot be read."""


def why_not(
    game_day: GameDay, planned: datetime, begin: datetime, loaded: Loaded, skips: Mapping[str, str]
) -> Refusal | None:
    """Return why the run planned for `planned` must not begin at `begin`, or None. `skips`: `store.skips.skipped`."""
    left_out = skips.get(key(game_day.name, planned))
    if left_out is not None:
        return Refusal(Reason.SKIPPED, left_out)
    if isinstance(loaded, ConfigError):
        return Refusal(Reason.BAD_CONFIGURATION, str(loaded).splitlines()[0])
    return refusal(game_day, loaded[0], begin, loaded[1])


def next_runs(game_days: Sequence[GameDay], after: datetime, count: int) -> list[tuple[datetime, GameDay]]:
    """Return the next `count` planned runs later than `after` of those that are enabled, in order."""
    found: list[tuple[datetime, GameDay]] = []
    for game_day in game_days:
        if game_day.enabled:
            runs = game_day.runs_after(after)
            found += [(at, game_day) for at, _ in zip(runs, range(count), strict=False)]
    return sorted(found, key=lambda run: (run[0], run[1].name))[:count]


@dataclass(frozen=True, slots=True)
class _Dues:
    """Planned instants that have come: the newest of them, oldest first, and how many were before these, since when."""

    listed: list[datetime]
    left_out: int
    first: datetime | None

    @classmethod
    def of(cls, planned: Iterable[datetime], now: datetime) -> _Dues:
        listed: deque[datetime] = deque(maxlen=MOST_MISSED)
        first, count = None, 0
        for at in planned:
            if at > now or count == MOST_COUNTED:
                break
            first, count = first or at, count + 1
            listed.append(at)
        return cls(list(listed), count - len(listed), first)


def _account(
    game_day: GameDay, dues: _Dues, now: datetime, busy: bool, ended: datetime | None, waiting: datetime | None = None
) -> Decision:
    """Return what becomes of `dues`, of which `waiting` has a PLANNED row.

    What came before the last run had `ended` is never started.
    """
    newest = dues.listed[-1]
    rows = [_many(game_day, dues, now)] if dues.left_out else []
    startable = now - newest <= game_day.grace and (ended is None or newest > ended)
    rows += [_missed(game_day, at, now, ended, busy) for at in (dues.listed[:-1] if startable else dues.listed)]
    if not startable:
        return Decision((*rows, *_plan(game_day, now, now)))
    if newest != waiting:
        rows.append(_row(game_day, newest, State.PLANNED, now))
    return Decision(tuple(rows), None if busy else newest)


def _still_planned(game_day: GameDay, at: datetime, now: datetime) -> bool:
    """Whether the changed plan has the instant `at` as well, and none between now and then."""
    return next(game_day.runs_after(min(now, at - timedelta(microseconds=1))), None) == at


def _plan(game_day: GameDay, after: datetime, now: datetime) -> tuple[Row, ...]:
    upcoming = next(game_day.runs_after(after), None)
    return () if upcoming is None else (_row(game_day, upcoming, State.PLANNED, now),)


def _missed(game_day: GameDay, planned: datetime, now: datetime, ended: datetime | None, busy: bool) -> Row:
    late_s = (now - planned).total_seconds()
    if ended is not None and planned <= ended:
        words = "the run before it was not known to have ended"
        return _row(game_day, planned, State.MISSED, now, Reason.STILL_RUNNING, words)
    if now - planned <= game_day.grace:
        words = f"{late_s:.0f} s late, and a newer one of the game day had come"
    else:
        why = "another game day was running" if busy else "nothing was there to start it"
        words = f"{late_s:.0f} s late, {game_day.grace.total_seconds():g} s are allowed: {why}"
    return _row(game_day, planned, State.MISSED, now, Reason.LATE, words)


def _many(game_day: GameDay, dues: _Dues, now: datetime) -> Row:
    first, more = dues.first or now, "at least " if dues.left_out + MOST_MISSED >= MOST_COUNTED else ""
    span = f"from {first:%Y-%m-%d %H:%M} UTC until before {dues.listed[0]:%Y-%m-%d %H:%M} UTC"
    words = f"{more}{dues.left_out} planned runs {span} were missed; they have no rows of their own"
    return _row(game_day, first, State.MISSED, now, Reason.MANY, words)


def _row(game_day: GameDay, planned: datetime, state: State, now: datetime, reason: str = "", words: str = "") -> Row:
    return Row(game_day.name, planned, state, now, game_day.timing, reason, words)


def shown(at: datetime, game_day: GameDay) -> str:
    """Return what a clock in the game day's zone shows at `at`, with the zone's name for the offset."""
    return f"{local(at, game_day.zone):%a %Y-%m-%d %H:%M:%S} {at.astimezone(game_day.zone):%Z}"
