"""Leases: what was done and how to undo it, on disk before it is done; and the one way to undo it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from chaos.driver import NOTHING_TO_REVERT
from chaos.drivers import DRIVERS
from chaos.transport import at
from core.errors import VipchaosError
from core.inventory import Host
from core.records import FaultPhase, FaultStep

DIRECTORY = Path("/run/vipchaos/leases")
Recorder = Callable[[FaultStep], None]


class LeaseError(VipchaosError):
    """A lease file is damaged; the message says which and what to do."""

    exit_code = 7


@dataclass(frozen=True, slots=True)
class LeasedFault:
    """One fault of a lease: everything that its revert needs."""

    name: str
    driver: str
    host: Host
    arguments: Mapping[str, object]
    prior: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Lease:
    """Faults that are out together, until `deadline_ns` on the monotonic clock of boot `boot`."""

    lease: str
    run: str
    experiment: str
    deadline_ns: int
    boot: str
    guard_journal: str
    faults: tuple[LeasedFault, ...]

    @property
    def expired(self) -> bool:
        """Whether the faults must go now; also when the machine was started anew."""
        return self.boot != boot_id() or time.monotonic_ns() >= self.deadline_ns


def boot_id() -> str:
    """Return what names this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def write(path: Path, lease: Lease) -> None:
    """Put the lease on disk, whole and fsynced, before anything is injected."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    with new.open("w") as file:
        json.dump(asdict(lease), file)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def read(path: Path) -> Lease:
    """Return the lease in a file. Raises FileNotFoundError when it is gone, LeaseError when it is damaged."""
    try:
        found = json.loads(path.read_text())
        faults = tuple(LeasedFault(**(fault | {"host": Host(**fault["host"])})) for fault in found.pop("faults"))
        return Lease(faults=faults, **found)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise LeaseError(f"{path}: the lease is damaged ({error}); revert by hand, then remove the file") from error


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Let one party at a time revert the lease at `path`; waits for the other."""
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def release(path: Path, record: Recorder, give_up_s: float | None) -> bool:
    """Revert the lease at `path` and remove it once every revert is proven; tell whether it is gone.

    Each fault is reverted on its own, in reverse order, again and again with growing pauses: without end, or for
    `give_up_s`. A lease that is gone already was reverted by somebody else.
    """
    with held(path):
        try:
            lease = read(path)
        except FileNotFoundError:
            return True
        began_s = time.monotonic()
        left = list(reversed(lease.faults))
        pause_s = 0.05
        while True:
            left = [fault for fault in left if not _revert(lease, fault, record)]
            if not left:
                break
            if give_up_s is not None and time.monotonic() - began_s > give_up_s:
                return False
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 5.0)
        path.unlink(missing_ok=True)
        _sync_directory(path.parent)
        path.with_suffix(".lock").unlink(missing_ok=True)
    return True


def _revert(lease: Lease, fault: LeasedFault, record: Recorder) -> bool:
    def step(phase: FaultPhase, detail: str) -> None:
        record(FaultStep(time.monotonic_ns(), lease.experiment, fault.name, lease.lease, phase, detail))

    driver, target = DRIVERS[fault.driver], at(fault.host)
    step(FaultPhase.REVERTING, "")
    reply = driver.revert(target, fault.arguments, fault.prior)
    if reply == NOTHING_TO_REVERT:
        step(FaultPhase.REVERTED, reply.error)
        step(FaultPhase.REVERT_PROVEN, "the fault was over as it was injected")
        return True
    out, seen = driver.is_out(target, fault.arguments, fault.prior)
    if reply.code == 0 and out is False:
        step(FaultPhase.REVERTED, reply.words)
        step(FaultPhase.REVERT_PROVEN, seen)
        return True
    step(FaultPhase.REVERT_FAILED, f"{reply.words}; {seen}")
    return False


def unfinished(directory: Path = DIRECTORY) -> list[Path]:
    """Return the lease files that are out."""
    return sorted(directory.glob("*.json"))


def sweep(record: Recorder, directory: Path = DIRECTORY) -> int:
    """Revert every lease whose time is over; return how many. Called when a controller starts."""
    count = 0
    for path in unfinished(directory):
        with contextlib.suppress(FileNotFoundError):
            if read(path).expired:
                count += release(path, record, None)
    return count
