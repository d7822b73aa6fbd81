"""Fills the controller's journals from the bus: each record once, in the order in which its agent told it.

What is read of the stream is committed to the journals first, together with how far each goes, then the place in the
stream is kept, then the server is told. So whatever dies in between, the same is read again, and told apart by its
numbers. The place is the receiver's own and not the server's: it begins there again after every break.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from core.bus import (
    CLOCK_SUBJECT,
    RECORDS,
    BusAwayError,
    ConsumerGoneError,
    Message,
    Stream,
    records_subject,
)
from core.clock_records import ClockOffset
from core.records import Note, Record
from store.bus import Bus
from store.bus_kept import Reader
from store.bus_shipper import ClockReply
from store.journal import JournalError, insert, leave_wal, open_journal, row_of
from store.parcel import Parcel, ParcelError, unpack
from store.runs import CONTROLLER
from store.ship_ledger import Cursor, ShipLedger
from store.shipper import Clocks
from store.taken import Taken

MESSAGES_AT_ONCE = 64
FETCH_WITHIN_S = 0.1
OFFSET_EVERY_NS = 10_000_000_000
QUIET_S = 60.0
STAND_EVERY_S = 1.0


@dataclass
class Counts:
    """What has become of what came: records committed, doubled (not taken again), refused by why, and missed."""

    committed: int = 0
    doubled: int = 0
    missed: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class _Journal:
    """One agent's journal at the controller, with how far it goes in the agent's own numbers."""

    def __init__(self, path: Path, agent: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.agent = agent
        self.connection = open_journal(path, agent)
        row = self.connection.execute("SELECT value FROM meta WHERE key = 'received'").fetchone()
        self.received = int(row[0]) if row else 0
        self.offset: ClockOffset | None = None
        self.used_s = time.monotonic()

    def close(self) -> None:
        """Leave WAL mode, so that a user who may only read can open it."""
        leave_wal(self.connection)
        self.connection.close()


class Receiver:
    """Receives into the run directories below `runs`. `clock` names this host's monotonic clock."""

    def __init__(
        self,
        bus: Bus,
        runs: Path,
        ledger: ShipLedger,
        clock: str,
        told: Callable[[str], None],
        stream: Stream = RECORDS,
    ) -> None:
        self.counts = Counts()
        self._bus = bus
        self._runs = runs
        self._ledger = ledger
        self._clock = clock
        self._told = told
        self._stream = stream
        self._journals: dict[Path, _Journal] = {}
        self._place = ledger.cursors().get(stream.name, Cursor()).seq
        self._reader: Reader | None = None
        self._begun = False
        self._stood_s = 0.0

    def run(self, clocks: Clocks) -> None:
        """Receive until told to stop. Raises what ends it for good; that the bus is away is waited for."""
        served = False
        try:
            while not clocks.stop.is_set():
                try:
                    if not served:
                        self.serve_clock()
                        served = True
                    self.receive()
                except BusAwayError as error:
                    self._reader = None
                    self._ledger.stand("waiting", str(error), clocks.wall_ns(), self.counts.committed, 0.0)
                    clocks.sleep(FETCH_WITHIN_S)
                self._rest(clocks)
        finally:
            self.close()
            self._ledger.stand("ended", "", clocks.wall_ns(), self.counts.committed, 0.0)

    def serve_clock(self) -> None:
        """Answer agents that ask for this host's clock. Raises BusAwayError."""
        self._bus.serve(CLOCK_SUBJECT, self._tell_clock, at_once=True)

    def _tell_clock(self, _: str, __: bytes) -> bytes:
        t2_ns = time.monotonic_ns()
        return msgspec.msgpack.encode(ClockReply(self._clock, t2_ns, time.monotonic_ns()))

    def receive(self) -> int:
        """Take in what is there, and return how many messages that were. Raises BusAwayError."""
        if self._reader is None:
            self._begin()
        assert self._reader is not None
        try:
            messages = self._reader.fetch(MESSAGES_AT_ONCE, FETCH_WITHIN_S)
        except ConsumerGoneError:
            self._reader = None
            return 0
        if not messages:
            return 0
        if messages[0].seq != self._place + 1 and not self._begun:
            self._reader = None  # lost on their way to us; from the place on once more
            return 0
        found, messages = len(messages), _gapless(messages)
        if len(messages) < found:
            self._reader = None
        self._begun = False
        self._commit(messages)
        self._place = messages[-1].seq
        self._ledger.settle({self._stream.name: Cursor(self._place)})
        if self._reader is not None:
            with contextlib.suppress(BusAwayError):
                self._reader.ack(messages)
        return len(messages)

    def _begin(self) -> None:
        self._bus.need_stream(self._stream)
        last = self._bus.last_seq(self._stream.name)
        if last < self._place:
            self._told(f"the bus has another stream {self._stream.name} than before: it is read from its beginning")
            self._place = 0
        self._reader = self._bus.consume(self._stream.name, self._stream.subjects[0], self._place + 1)
        self._begun = True  # the first message may be a later one: what was between is no more

    def _commit(self, messages: Sequence[Message]) -> None:
        """Commit what the messages hold, each journal in a transaction of its own."""
        by_journal: dict[Path, list[Parcel]] = {}
        for message in messages:
            try:
                parcel = unpack(message.data)
            except ParcelError as error:
                self._refuse(f"{message.subject}: a message {error}")
                continue
            if message.subject != records_subject(parcel.agent):
                self._refuse(f"{message.subject}: records of {parcel.agent}, whose subject it is not", len(parcel.rows))
                continue
            by_journal.setdefault(self._runs / parcel.run / f"{parcel.journal}.db", []).append(parcel)
        for path, parcels in by_journal.items():
            try:
                journal = self._open(path, parcels[0].agent)
                self._commit_one(journal, parcels)
            except (sqlite3.Error, OSError) as error:
                raise JournalError(f"{path}: cannot be written: {error}") from error

    def _open(self, path: Path, agent: str) -> _Journal:
        journal = self._journals.get(path)
        if journal is None:
            journal = self._journals[path] = _Journal(path, agent)
        journal.used_s = time.monotonic()
        return journal

    def _commit_one(self, journal: _Journal, parcels: Sequence[Parcel]) -> None:
        taken, own = Taken(), 0

        def tell(record: Record) -> None:
            nonlocal own
            own += 1
            taken.rows.append(row_of(record))

        received, offset, doubled, missed = journal.received, journal.offset, 0, 0
        for parcel in parcels:
            rows = tuple(row for row in parcel.rows if row[0] > received)
            doubled += len(parcel.rows) - len(rows)
            if not rows:
                continue
            if parcel.after > received:
                missed += 1
                words = f"records after its number {received} and up to {parcel.after} never came: the bus had no room"
                tell(Note(time.monotonic_ns(), CONTROLLER, f"{journal.agent}: {words}"))
            if parcel.thinned:
                words = f"{parcel.thinned} summaries were given up for room while the bus was away"
                tell(Note(time.monotonic_ns(), CONTROLLER, f"{journal.agent}: {words}"))
            found = self._offset(parcel, rows[0][1])
            if offset is None or _differs(offset, found):
                tell(found)
                offset = found
            taken.take(parcel.agent, rows, offset.offset_ns)  # the one that is on record
            received = rows[-1][0]
        connection = journal.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            insert(connection, taken.rows, taken.seconds)
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('received', ?)", (str(received),))
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        journal.received, journal.offset = received, offset
        self.counts.committed += len(taken.rows) - own
        self.counts.doubled += doubled
        self.counts.missed += missed
        for why, count in taken.refused.items():
            self._refuse(f"{records_subject(journal.agent)}: {why}", count)

    def _offset(self, parcel: Parcel, t_ns: int) -> ClockOffset:
        """Return what leads from the agent's clock to ours: measured by exchanges with us, or by the wall clocks."""
        if parcel.clock == self._clock and parcel.bound_ns >= 0:
            offset_ns, bound_ns = parcel.offset_ns, parcel.bound_ns
        else:
            offset_ns, bound_ns = parcel.wall_offset_ns - (time.time_ns() - time.monotonic_ns()), -1
        return ClockOffset(t_ns + offset_ns, parcel.agent, self._clock, offset_ns, bound_ns)

    def _refuse(self, why: str, count: int = 1) -> None:
        if why not in self.counts.refused:
            self._told(f"refused: {why}")
        self.counts.refused[why] += count

    def _rest(self, clocks: Clocks) -> None:
        now_s = time.monotonic()
        if now_s - self._stood_s < STAND_EVERY_S:
            return
        self._stood_s = now_s
        words = "; ".join(f"refused {count}: {why}" for why, count in sorted(self.counts.refused.items())[:5])
        self._ledger.stand("running", words, clocks.wall_ns(), self.counts.committed, 0.0)
        for path in [path for path, journal in self._journals.items() if now_s - journal.used_s > QUIET_S]:
            self._journals.pop(path).close()

    def close(self) -> None:
        """Close all journals."""
        for journal in self._journals.values():
            journal.close()
        self._journals.clear()


def _gapless(messages: Sequence[Message]) -> list[Message]:
    """Return the first messages that follow each other; what comes after a gap is read again."""
    found = [messages[0]]
    for message in messages[1:]:
        if message.seq != found[-1].seq + 1:
            break
        found.append(message)
    return found


def _differs(old: ClockOffset, new: ClockOffset) -> bool:
    """Whether an offset is worth a record: another one, or another bound; each ten seconds at least."""
    far = abs(new.offset_ns - old.offset_ns) > max(1_000, new.bound_ns // 10) or (old.bound_ns < 0) != (
        new.bound_ns < 0
    )
    return far or new.bound_ns > 2 * old.bound_ns >= 0 or new.t_ns - old.t_ns > OFFSET_EVERY_NS
