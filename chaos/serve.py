"""Serves game days: at each waking it asks what is due, writes down what it is about to do, and does it.

One run at a time. The ledger is written first: a process that is killed anywhere finds there what it had begun, never
begins it again, and what it had not begun is MISSED or still in its grace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from chaos import lease as leases
from chaos.aftermath import revert
from chaos.child import END_WAIT_S, Child, StillRunningError, ended
from chaos.drivers import DECLARED
from chaos.scheduler import Alarms
from chaos.wall import wall_now
from core.exit_codes import EXIT_CODES
from core.game_days import GameDay, key
from core.loader import try_planned
from core.records import Outcome
from core.refusals import Refusal
from core.schedule import Reason, Row, State, decide, why_not, withdrawn
from store.ledger import AlreadyStartedError, Ledger
from store.runs import home
from store.skips import skipped

_STATES = {Outcome.BLOCKED: State.BLOCKED, Outcome.ABORTED: State.ABORTED}
ENDS = {
    code: (_STATES.get(outcome, State.FINISHED), outcome)
    for outcome, code in EXIT_CODES.items()
    if outcome is not Outcome.MISSED  # what was run was not missed
}
"""What an exit code of `vipchaos run` means for its planned run; every other one: ABORTED, and leases are looked at."""


def _nothing(_: object) -> None:
    pass


@dataclass(frozen=True)
class World:
    """What serving needs of the world.

    `command(game_day, key)` is the argv of a run, whose directory is named after the key. `told` sees each row that
    is on the disk; `step` is called by name between any two steps, for tests that end the process there.
    """

    place: Path
    command: Callable[[GameDay, str], Sequence[str]]
    told: Callable[[Row], None] = _nothing
    step: Callable[[str], None] = _nothing
    now: Callable[[], datetime] = wall_now
    lease_directory: Path = leases.DIRECTORY


class Service:
    """Serves `game_days` until `stop` is called; `ledger` is open."""

    def __init__(self, game_days: Sequence[GameDay], ledger: Ledger, world: World) -> None:
        self._game_days = [game_day for game_day in game_days if game_day.enabled]
        self._ledger = ledger
        self._world = world
        self._last: dict[str, Row] = ledger.last()
        self._running: GameDay | None = None
        self._child: Child | None = None
        self._run: asyncio.Task[None] | None = None
        self._awake = asyncio.Event()
        self._stopping = False
        self._alarms = Alarms(self._wake)

    async def serve(self) -> None:
        """Look after what a process before this one began, then start what is due, until told to stop."""
        await self._recover()
        self._alarms.start()
        try:
            while not self._stopping:
                self._awake.clear()
                self._look()
                await self._next_waking()
        finally:
            self._alarms.stop()
            await self._end_run()

    def stop(self) -> None:
        """End in order: the running run is told to end, and waited for. Twice without harm."""
        self._stopping = True
        self._awake.set()

    async def _next_waking(self) -> None:
        waking = asyncio.create_task(self._awake.wait())
        await asyncio.wait({waking, self._run} if self._run else {waking}, return_when=asyncio.FIRST_COMPLETED)
        waking.cancel()
        if self._run is not None and self._run.done():
            run, self._run, self._running, self._child = self._run, None, None, None
            run.result()

    async def _wake(self) -> None:
        self._awake.set()

    def _look(self) -> None:
        enabled = {game_day.name for game_day in self._game_days}
        gone = [row for row in self._last.values() if row.state is State.PLANNED and row.game_day not in enabled]
        self._write([withdrawn(row, self._world.now()) for row in gone])
        for game_day in self._game_days:
            while self._running is not game_day:
                decision = decide(
                    game_day, self._last.get(game_day.name), self._world.now(), busy=self._running is not None
                )
                self._write(decision.rows)
                if decision.due is not None:
                    self._begin(game_day, decision.due)
                elif not decision.rows:
                    break
            last = self._last.get(game_day.name)
            if last is not None and last.state is State.PLANNED and last.planned > self._world.now():
                self._alarms.set(game_day.name, last.planned)

    def _begin(self, game_day: GameDay, planned: datetime) -> None:
        now = self._world.now()
        row = Row(game_day.name, planned, State.STARTED, now, game_day.timing)
        why = self._refusal(game_day, planned, now)
        if why is not None:
            self._write([replace(row, state=State.BLOCKED, reason=why.reason, words=why.words)])
            return
        try:
            self._write([row])
        except AlreadyStartedError:
            words = "the ledger has it as started: a planned run is started once"
            self._write([replace(row, state=State.MISSED, reason=Reason.ALREADY_STARTED, words=words)])
            return
        try:
            name = key(game_day.name, planned)
            log = self._world.place / f"{name}.log"
            child = Child(self._world.command(game_day, name), self._world.place, log)
        except (StillRunningError, OSError) as error:
            words = "a run from before has not ended" if isinstance(error, StillRunningError) else str(error)
            self._write([replace(row, state=State.ABORTED, reason=Reason.RUN_ENDED, words=words)])
            return
        self._world.step("spawned")
        self._running, self._child = game_day, child
        self._run = asyncio.create_task(self._attend(row, child))

    def _refusal(self, game_day: GameDay, planned: datetime, now: datetime) -> Refusal | None:
        """Return why it must not start now; files and skips are read anew, so that a freeze set since then counts."""
        return why_not(game_day, planned, now, try_planned(game_day, DECLARED), skipped(self._world.place))

    async def _attend(self, row: Row, child: Child) -> None:
        code = await asyncio.to_thread(child.wait)
        self._world.step("ended")
        runs = _runs_of(row)
        state, outcome = ENDS.get(code, (State.ABORTED, Outcome.ABORTED))
        words = "" if state is State.FINISHED else f"exit code {code}: {child.last_line()}"
        if code not in ENDS:
            aftermath = await asyncio.to_thread(revert, runs, self._world.lease_directory)
            outcome = Outcome.REVERT_FAILED if aftermath.left else outcome
            words += f"; {aftermath.words}"
        reason = "" if state is State.FINISHED else Reason.STOPPED if self._stopping else Reason.RUN_ENDED
        self._write([_ended(row, state, self._world.now(), reason, words, runs, outcome)])

    async def _end_run(self) -> None:
        if self._run is None or self._child is None:
            return
        self._child.stop()
        done, _ = await asyncio.wait({self._run}, timeout=END_WAIT_S)
        if not done:
            self._child.kill()
        await self._run

    async def _recover(self) -> None:
        """End what a process before this one began: wait for a run that is ending, then revert what it left."""
        for row in [row for row in self._last.values() if row.state is State.STARTED]:
            self._world.step("recovering")
            runs = _runs_of(row)
            why = "vipchaos serve ended before the run did"
            if not await asyncio.to_thread(ended, self._world.place, END_WAIT_S):
                why += f", which has not ended after {END_WAIT_S:g} s"
            aftermath = await asyncio.to_thread(revert, runs, self._world.lease_directory)
            self._world.step("reverted")
            outcome = Outcome.REVERT_FAILED if aftermath.left else Outcome.ABORTED
            words = f"{why}; {aftermath.words}"
            self._write([_ended(row, State.ABORTED, self._world.now(), Reason.SERVE_DIED, words, runs, outcome)])

    def _write(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        self._world.step(f"before {rows[-1].state}")
        self._ledger.append(rows)
        self._world.step(f"after {rows[-1].state}")
        for row in rows:
            self._last[row.game_day] = row
            self._world.told(row)


def _runs_of(row: Row) -> list[str]:
    """Return the runs, one at the most, whose directory is named after the planned run."""
    return sorted(path.name for path in (home() / "runs").glob(f"*-{key(row.game_day, row.planned)}-????"))


def _ended(
    started: Row, state: State, at: datetime, reason: str, words: str, runs: Sequence[str], outcome: Outcome
) -> Row:
    run = runs[-1] if runs else ""
    return replace(started, state=state, at=at, reason=reason, words=words, run=run, outcome=str(outcome))
