"""What is known of one injection: when its command was started and had ended, and what it said."""

from __future__ import annotations

from dataclasses import dataclass

from core.lease import Lease
from core.records import FaultPhase, FaultStep


@dataclass(frozen=True, slots=True)
class Injected:
    """One injection; both instants are on the monotonic clock, and its effect is between them."""

    began_ns: int
    ended_ns: int
    words: str

    def step(self, lease: Lease, fault: str) -> FaultStep:
        """Return the record of it."""
        return FaultStep(
            self.ended_ns,
            lease.experiment,
            fault,
            lease.lease,
            FaultPhase.INJECTED,
            self.words,
            began_ns=self.began_ns,
        )
