"""What is known of one injection: when its command was started and had ended, and what it said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

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


def steps_of(bodies: Iterable[Mapping[str, Any]]) -> list[FaultStep]:
    """Return the steps that a guard's answer tells. Raises TypeError or ValueError when it tells none."""
    return [FaultStep(**(dict(body) | {"phase": FaultPhase(body["phase"])})) for body in bodies]
