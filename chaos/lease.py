"""Leases: what was done and how to undo it, on disk before it is done; and the one way to undo it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from chaos.driver import NOTHING_TO_REVERT
from chaos.drivers import DRIVERS
from chaos.transport import at
from core.errors import VipchaosError
from core.inventory import Host
from core.lease import Lease, LeasedFault, LeasedSite
from core.records import FaultPhase, FaultStep
from store.whole import sync_directory, write_whole

DIRECTORY = Path("/run/vipchaos/leases")
LONGEST_PAUSE_S = 5.0
Recorder = Callable[[FaultStep], None]


class LeaseError(VipchaosError):
    """A lease file is damaged; the message says which and what to do."""

    exit_code = 7


def boot_id() -> str:
    """Return what names this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def checked_name(name: str) -> str:
    """Return the name of a lease, which is that of its files as well. Raises ValueError where it can be none."""
    if "/" in name or name.startswith(".") or not name:
        raise ValueError(f"lease {name!r} has no proper name")
    return name


def write(path: Path, lease: Lease) -> None:
    """Put the lease on disk, whole and fsynced, before anything is injected."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(asdict(lease)))


def read(path: Path) -> Lease:
    """Return the lease in a file. Raises FileNotFoundError when it is gone, LeaseError when it is damaged."""
    try:
        return from_body(json.loads(path.read_text()))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise LeaseError(f"{path}: the lease is damaged ({error}); revert by hand, then remove the file") from error


def from_body(body: dict[str, Any]) -> Lease:
    """Return the lease that JSON says. Raises TypeError, KeyError or ValueError when it says none."""
    faults = tuple(
        LeasedFault(**(fault | {"host": Host(**fault["host"]), "takes": tuple(fault["takes"])}))
        for fault in body.pop("faults")
    )
    sites = tuple(
        LeasedSite(
            site["name"],
            tuple(site["nodes"]),
            Host(**site["host"]) if site["host"] else None,
            tuple(site["command"]),
            str(site["shows"]),
        )
        for site in body.pop("sites")
    )
    return Lease(faults=faults, sites=sites, **(body | {"beside": tuple(body.get("beside", ()))}))


def holder(pid: int) -> str:
    """Return what names a process as the holder of a lease."""
    return f"{pid}:{_started(pid)}"


def _started(pid: int) -> str:
    """Return when a process started (clock ticks since boot, proc(5)), '' when it does not run."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def why_over(lease: Lease) -> str:
    """Return why the faults of a lease must go now, '' when they need not."""
    if lease.boot != boot_id():
        return "the machine was started anew"
    if time.monotonic_ns() >= lease.deadline_ns:
        return "the lease is over"
    pid, _, started = lease.holder.partition(":")
    if lease.holder and not (pid.isdigit() and _started(int(pid)) == started):
        return "its controller is gone"
    return ""


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Let one party at a time act on the lease at `path`; waits for the other."""
    lock_file = path.with_suffix(".lock")
    with lock_file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            if not path.exists():
                lock_file.unlink(missing_ok=True)


def release(path: Path, record: Recorder, give_up_s: float | None, only: Collection[str] = ()) -> bool:
    """Revert the lease at `path`, or `only` some of its faults; tell whether they are proven reverted.

    Each fault is reverted on its own, in reverse order, again and again with growing pauses: without end, or for
    `give_up_s`. What is proven leaves the lease, and the file goes with the last fault. A lease that is gone already
    was reverted by somebody else. Between attempts others may try.
    """
    began_s = time.monotonic()
    pause_s = 0.05
    while True:
        with held(path):
            if _attempt(path, record, only):
                return True
        if give_up_s is not None and time.monotonic() - began_s > give_up_s:
            return False
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


def _attempt(path: Path, record: Recorder, only: Collection[str]) -> bool:
    """Try each fault once."""
    try:
        lease = read(path)
    except FileNotFoundError:
        return True
    done, kept, gone = True, True, set()
    for fault in reversed(lease.faults):
        if only and fault.name not in only:
            continue
        if not _revert(lease, fault, record):
            done = False
            continue
        gone.add(fault.name)
        kept = _keep(path, lease, tuple(other for other in read(path).faults if other.name not in gone))
    return done and kept


def _keep(path: Path, lease: Lease, left: tuple[LeasedFault, ...]) -> bool:
    """Leave only these faults in the lease at `path`; tell whether that is on the disk.

    Where there is no room for it the others are reverted all the same; to end the lease takes none.
    """
    if left:
        try:
            write(path, replace(lease, faults=left))
        except OSError:
            return False
    else:
        path.unlink()
        sync_directory(path.parent)
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


def read_all(directory: Path = DIRECTORY) -> Iterator[tuple[Path, Lease | LeaseError]]:
    """Yield each lease that is out, or why it cannot be read, with its file; one that ends meanwhile is left out."""
    for path in unfinished(directory):
        try:
            yield path, read(path)
        except FileNotFoundError:
            continue
        except LeaseError as error:
            yield path, error
