"""What a run that did not end in order has left behind: leases that are out, which are reverted here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos import lease as leases
from chaos.told import told

GIVE_UP_S = 15.0


@dataclass(frozen=True, slots=True)
class Aftermath:
    """How many leases of the runs were out, and the names of those that are not proven reverted."""

    leases: int
    left: tuple[str, ...]

    @property
    def words(self) -> str:
        """The same for people."""
        if self.left:
            return f"not proven reverted, the guard goes on: {', '.join(self.left)}"
        return f"leases that were still out and are reverted: {self.leases}" if self.leases else "no lease was out"


def revert(runs: Sequence[str], directory: Path = leases.DIRECTORY, give_up_s: float = GIVE_UP_S) -> Aftermath:
    """Revert every lease of `runs`, whether or not its time is over; a lease that cannot be read is left."""
    count, left = 0, []
    for path, lease in leases.read_all(directory):
        if isinstance(lease, leases.LeaseError):
            left.append(path.stem)
        elif lease.run in runs:
            count += 1
            with told(Path(lease.guard_journal).with_name(f"serve-{path.stem}.db"), f"serve {path.stem}") as record:
                if not leases.release(path, record, give_up_s):
                    left.append(path.stem)
    return Aftermath(count, tuple(left))
