"""Takes the lead among controllers, keeps it, and ends what a controller that has gone left behind at its guards."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from chaos.guard.far import Asking, FarGuard, Signer
from core.bus import Bucket, BusAwayError, BusForbiddenError, ConflictError, Entry, token
from core.errors import BlockedError
from core.leading import BEAT_NS, HOLD_NS, Lead, Seen, from_data, leads, seen, step, to_data

BUCKET = Bucket("vipchaos_lead")
ONCE = Bucket("vipchaos_once")
KEY = "lead"
LOOK_S = 0.25


class Keeping(Asking, Protocol):
    """The part of `store.bus.Bus` that is needed here."""

    def need_bucket(self, wanted: Bucket) -> None:
        """Make the bucket where there is none."""
        ...

    def get(self, bucket: str, key: str) -> Entry | None:
        """Return a key's value."""
        ...

    def compare_and_set(self, bucket: str, key: str, data: bytes, revision: int) -> int:
        """Write a value if the last one is of `revision`. Raises ConflictError."""
        ...


class Leadership:
    """The lead of `controller`, from `take` to `resign`; `signer(run, term)` signs what it orders at guards."""

    def __init__(self, bus: Keeping, controller: str, signer: Callable[[str, Callable[[], int]], Signer]) -> None:
        self._bus = bus
        self._controller = controller
        self._process = secrets.token_hex(4)
        self._signer = signer
        self._seen = Seen(None, 0, 0)
        self._confirmed_ns = 0
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._beating: threading.Thread | None = None

    @property
    def lost(self) -> str:
        """Why this controller leads no more, '' while it does."""
        if leads(self._confirmed_ns, time.monotonic_ns()):
            return ""
        lead = self._seen.lead
        if lead is not None and lead.process != self._process:
            return f"controller {lead.controller or 'nobody'} leads now"
        return "the bus is away for so long that another controller may lead"

    def term(self) -> int:
        """Return the term that orders are of. Raises BlockedError when this controller leads no more."""
        if self.lost:
            raise BlockedError(self.lost)
        assert self._seen.lead is not None
        return self._seen.lead.term

    def take(self, run: str, guards: tuple[str, ...]) -> None:
        """Lead with `run` from now on. Raises BlockedError when another does, or has left what is not reverted.

        A controller that has died is waited for, until it holds the lead no more.
        """
        self._bus.need_bucket(BUCKET)
        until_ns = time.monotonic_ns() + HOLD_NS + BEAT_NS
        first = self._look()
        while not self._try():
            other = self._seen.lead
            alive = self._seen.revision != first.revision and other is not None and other.controller
            if alive or time.monotonic_ns() > until_ns:
                raise BlockedError(f"controller {other.controller if other else '?'} leads")
            time.sleep(LOOK_S)
            self._look()
        self._beating = threading.Thread(target=self._beat, name="lead", daemon=True)
        self._beating.start()
        try:
            self._end_what_was_left()
            self._write(replace(self._lead(), run=run, guards=guards))
        except BlockedError:
            self.resign()
            raise

    def look_after(self) -> str:
        """Look once; when a controller has died with a run, end that run's faults. Return what was done, or ''."""
        self._bus.need_bucket(BUCKET)
        found = self._look()
        wanted = step(self._controller, self._process, found, time.monotonic_ns(), time.time_ns())
        if wanted.left is None or not self._try():
            return ""
        try:
            self._end_what_was_left()
            who = wanted.left.controller or "one that has gone"
            return f"run {wanted.left.run} of controller {who}: nobody looked after it, its faults are reverted"
        finally:
            self.resign()

    def resign(self) -> None:
        """Lead no more. What was not reverted stays in the value, for who leads next."""
        self._end.set()
        if self._beating is not None:
            self._beating.join()
            self._beating = None
        self._end.clear()
        lead = self._seen.lead
        if lead is not None and lead.process == self._process:
            with suppress(BlockedError):
                self._write(replace(lead, controller="", process=""))
        self._confirmed_ns = 0

    def done(self) -> None:
        """Say that nothing is out any more of the run that was led with."""
        self._write(replace(self._lead(), run="", guards=()))

    def _lead(self) -> Lead:
        self.term()
        assert self._seen.lead is not None
        return self._seen.lead

    def _end_what_was_left(self) -> None:
        """Have the guards revert what the run in the value has out. Raises BlockedError when that is not proven."""
        lead = self._lead()
        for guard in lead.guards:
            _, left = FarGuard(guard, self._bus, self._signer(lead.run, self.term)).abandon()
            if left:
                raise BlockedError(f"run {lead.run}, that nobody leads: not proven reverted at guard {guard}: {left}")
        if lead.run:
            self.done()

    def _look(self) -> Seen:
        try:
            entry = self._bus.get(BUCKET.name, KEY)
            lead = from_data(entry.data) if entry is not None else None
        except (BusAwayError, BusForbiddenError, ValueError) as error:
            raise BlockedError(f"who leads cannot be told: {error}") from error
        self._seen = seen(self._seen, lead, entry.revision if entry is not None else 0, time.monotonic_ns())
        return self._seen

    def _try(self) -> bool:
        """Take the lead if it is free; tell whether it is taken."""
        wanted = step(self._controller, self._process, self._seen, time.monotonic_ns(), time.time_ns())
        if wanted.write is None:
            return False
        try:
            self._write(wanted.write)
        except BlockedError:
            self._look()
            return False
        return True

    def _write(self, lead: Lead) -> None:
        """Put it in place of what was seen. Raises BlockedError when that is not there any more."""
        with self._lock:
            began_ns = time.monotonic_ns()
            try:
                revision = self._bus.compare_and_set(BUCKET.name, KEY, to_data(lead), self._seen.revision)
            except (ConflictError, BusAwayError, BusForbiddenError) as error:
                raise BlockedError(f"the lead cannot be written: {error}") from error
            self._seen, self._confirmed_ns = Seen(lead, revision, began_ns), began_ns

    def _beat(self) -> None:
        """Say again and again that this controller leads; ends when another does."""
        while not self._end.wait(BEAT_NS / 1e9):
            wanted = step(self._controller, self._process, self._seen, time.monotonic_ns(), time.time_ns()).write
            if wanted is None or wanted.process != self._process:
                return
            try:
                self._write(wanted)
            except BlockedError:
                # The bus was away, or what was written is there and was not confirmed: look, and go on from there.
                with suppress(BlockedError):
                    self._look()


def claim(bus: Keeping, what: str, controller: str) -> None:
    """Say, for all controllers and for ever, that `what` is begun by this one. Raises BlockedError if it was before."""
    try:
        bus.need_bucket(ONCE)
        bus.compare_and_set(ONCE.name, token(what), controller.encode(), 0)
    except ConflictError as error:
        by = bus.get(ONCE.name, token(what))
        who = by.data.decode(errors="replace") if by is not None and by.data else "another"
        raise BlockedError(f"already_started: {what} was begun by controller {who}") from error
    except (BusAwayError, BusForbiddenError) as error:
        raise BlockedError(f"whether {what} was begun before cannot be told: {error}") from error
