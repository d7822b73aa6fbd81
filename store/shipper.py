"""Ships the journals of all runs to a time series database, behind durable cursors; loses nothing, and never hurries.

A cursor moves when the server has acknowledged. While one batch is on its way the next is made from the journals.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

from core.errors import ConfigError, PrivilegeError, VipchaosError
from core.series.point import Point, writer
from core.series.schema import SHIPPER
from store.feed import Batch, Feed
from store.influx import Meaning, Reply
from store.ship_ledger import DeadLetter, ShipLedger

POINTS = 5_000
EVERY_S = 1.0
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 60.0
RATE_OVER_S = 60.0
SELF_EVERY_S = 10.0
TELL_EVERY_S = 5.0
REFUSED_RIGHTS = (401, 403)


class Sink(Protocol):
    """What lines are written to; `store.influx.Influx` is one."""

    def write(self, lines: list[str]) -> Reply:
        """Send the lines and return what came back."""
        ...


class ShippingStoppedError(ConfigError):
    """The server says that no point will ever be taken: wrong token, no such bucket. Exit code 4."""


class ShippingForbiddenError(PrivilegeError):
    """The server refuses the token. Exit code 6."""


class _InterruptedError(Exception):
    """Shipping is to end while a batch waits."""


@dataclass(slots=True)
class Clocks:
    """The world's part: clocks in seconds and nanoseconds, waiting that ends early when `stop` is set, and chance."""

    stop: Event
    chance: Callable[[], float]
    wall_ns: Callable[[], int] = time.time_ns
    now_s: Callable[[], float] = time.monotonic
    wait: Callable[[float], object] | None = None

    def sleep(self, seconds: float) -> None:
        """Wait so long, or until told to stop."""
        (self.wait or self.stop.wait)(seconds)


def waits_s(attempt: int, asked_s: float, chance: float) -> float:
    """Return how long to wait before the next attempt; `attempt` counts from 0, `chance` lies in [0, 1).

    Doubling from half a second to a minute, a half of it by chance, and never less than the server asked for.
    """
    longest: float = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempt, 16))
    return max(asked_s, longest * (0.5 + 0.5 * chance))


@dataclass(slots=True)
class Shipper:
    """Ships what `feed` gives to `sink`. `told` is given a line when shipping begins to wait, and when it goes on."""

    feed: Feed
    sink: Sink
    ledger: ShipLedger
    clocks: Clocks
    environment: str
    told: Callable[[str], None] = lambda _: None
    points: int = POINTS
    accepted: int = 0
    waiting: str = ""
    _recent: deque[tuple[float, int]] = field(default_factory=deque)
    _self_s: float = float("-inf")
    _stood_s: float = 0.0
    _told_s: float = 0.0
    _before: int = 0

    def run(self, once: bool) -> None:
        """Ship until told to stop, or with `once` until there is nothing more.

        Raises ShippingStoppedError or ShippingForbiddenError, having written down why.
        """
        standing = self.ledger.standing()
        self.accepted = self._before = standing.accepted if standing else 0
        self._told_s = self.clocks.now_s()
        self._stand("running", "")
        try:
            with ThreadPoolExecutor(1, thread_name_prefix="ship") as pool:
                self._loop(once, pool)
        except _InterruptedError:
            pass
        except VipchaosError as error:
            self._stand("stopped", str(error))
            raise
        self._stand("ended", "told to stop" if self.clocks.stop.is_set() else "everything is shipped")

    def _loop(self, once: bool, pool: ThreadPoolExecutor) -> None:
        under_way: tuple[Batch, Future[list[DeadLetter]]] | None = None
        while True:
            batch = self.feed.take(self.points)
            if under_way is not None:
                self._settle(*under_way)
            under_way = None
            if self.clocks.stop.is_set():
                return
            if batch.lines or batch.moved:
                under_way = (batch, pool.submit(self._deliver, batch.lines))
            if len(batch.lines) >= self.points:
                continue
            if under_way is not None:
                self._settle(*under_way)
                under_way = None
            elif once:
                self._ship_self()
                return
            if not once:
                self._ship_self()
                self.clocks.sleep(EVERY_S)

    def _settle(self, batch: Batch, delivered: Future[list[DeadLetter]]) -> None:
        """Wait for the acknowledgement, then move the cursors."""
        while not wait([delivered], EVERY_S).done:
            self._stand("waiting" if self.waiting else "running", self.waiting)
        dead = [*batch.dead, *delivered.result()]
        self.ledger.settle(batch.moved, dead, self.clocks.wall_ns())
        self._count(len(batch.lines) - len(dead) + len(batch.dead))
        if self.clocks.now_s() - self._stood_s >= EVERY_S:
            self._stand("running", "")
        if self.clocks.now_s() - self._told_s >= TELL_EVERY_S and len(batch.lines) >= self.points:
            self._told_s = self.clocks.now_s()
            self.told(f"{self.accepted - self._before} points shipped so far, more follow")

    def _deliver(self, lines: list[str]) -> list[DeadLetter]:
        """Return those that the server refuses, alone; all others are acknowledged."""
        if not lines:
            return []
        reply = self._insist(lines)
        if reply.meaning is Meaning.ACCEPTED:
            return []
        if reply.meaning is Meaning.STOP:
            stopped = ShippingForbiddenError if reply.status in REFUSED_RIGHTS else ShippingStoppedError
            raise stopped(f"shipping stops, {reply.words}")
        if len(lines) == 1:
            return [DeadLetter(lines[0], reply.words)]
        middle = len(lines) // 2
        return self._deliver(lines[:middle]) + self._deliver(lines[middle:])

    def _insist(self, lines: list[str]) -> Reply:
        """Send until there is an answer that is one."""
        attempt = 0
        while True:
            reply = self.sink.write(lines)
            if reply.meaning is not Meaning.LATER:
                if attempt:
                    self.waiting = ""
                    self.told("shipping goes on")
                return reply
            wait_s = waits_s(attempt, reply.wait_s, self.clocks.chance())
            if not attempt:
                self.waiting = reply.words
                self.told(f"shipping waits, {reply.words}; the journals keep everything")
            attempt += 1
            self.clocks.sleep(wait_s)
            if self.clocks.stop.is_set():
                raise _InterruptedError

    def _count(self, accepted: int) -> None:
        self.accepted += accepted
        self._recent.append((self.clocks.now_s(), accepted))

    def rate_per_s(self) -> float:
        """Return the points accepted a second, over the last minute."""
        now_s = self.clocks.now_s()
        while self._recent and now_s - self._recent[0][0] > RATE_OVER_S:
            self._recent.popleft()
        return sum(count for _, count in self._recent) / RATE_OVER_S

    def _stand(self, state: str, words: str) -> None:
        self._stood_s = self.clocks.now_s()
        self.ledger.stand(state, words, self.clocks.wall_ns(), self.accepted, self.rate_per_s())

    def _ship_self(self) -> None:
        """Write the shipper's own point, each ten seconds; it is worth no insisting."""
        if self.clocks.now_s() - self._self_s < SELF_EVERY_S:
            return
        self._self_s = self.clocks.now_s()
        lag, wall_ns = self.feed.lag(), self.clocks.wall_ns()
        lag_s = max(0.0, (wall_ns - lag.since_wall_ns) / 1e9) if lag.records and lag.since_wall_ns else 0.0
        values = (lag.records, lag_s, self.ledger.dead_letters(), self.accepted, self.rate_per_s())
        self.sink.write([writer(self.environment)(Point(SHIPPER, (), values, wall_ns), 0, 0)])
