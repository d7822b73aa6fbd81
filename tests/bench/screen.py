"""What the screens cost and how fast they answer, on a real pseudo-terminal: `python -m tests.bench.screen`."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from core.records import Clock, OutageBegan, OutageEnded, ProbeHealth, ProbeStarted, Record, RunStarted, Summary
from store.journal import JournalWriter
from store.runs import CONTROLLER
from tests.tui.many import SESSIONS, VANTAGES, answered, opening
from tests.tui.recorded import records, write_run

ROOT = Path(__file__).resolve().parents[2]
SECOND_NS = 1_000_000_000
TICKS = os.sysconf("SC_CLK_TCK")
RECORDS_A_SECOND = 200
LIMITS = {"start_s": 1.0, "change_s": 0.25, "key_s": 0.05, "cpu_percent": 30.0, "rss_mb": 150.0}


@dataclass(frozen=True)
class Measured:
    """Medians and the worst of each; of processor and memory, the one figure that there is."""

    start_s: float
    start_worst_s: float
    change_s: float
    change_worst_s: float
    key_s: float
    key_worst_s: float
    cpu_percent: float
    cpu_sessions_percent: float
    rss_mb: float


class Screen:
    """The command on a pseudo-terminal of 120 by 40; what it draws is kept with when it came."""

    def __init__(self, home: Path, *words: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        environment = {**os.environ, "VIPCHAOS_HOME": str(home), "TERM": "xterm-256color"}
        environment.pop("NO_COLOR", None)
        self.started_s = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cli", "watch", *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            cwd=ROOT,
            start_new_session=True,
        )
        os.close(slave)
        self._drawn = bytearray()
        self._came = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return
            with self._came:
                self._drawn += data
                self._came.notify_all()

    def forget(self) -> None:
        """Forget what was drawn until now."""
        with self._came:
            self._drawn.clear()

    def shows(self, words: str, within_s: float = 30.0) -> float:
        """Return when the words were there; raises TimeoutError."""
        wanted = words.encode()
        with self._came:
            if not self._came.wait_for(lambda: wanted in self._drawn, within_s):
                raise TimeoutError(f"{words!r} was not drawn within {within_s} s")
        return time.monotonic()

    def press(self, key: str) -> None:
        os.write(self._master, key.encode())

    @property
    def drawing(self) -> int:
        """The process that draws."""
        outer = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(outer[0])

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        os.close(self._master)


@contextmanager
def shown(home: Path, *words: str) -> Iterator[Screen]:
    screen = Screen(home, *words)
    try:
        yield screen
    finally:
        screen.close()


class Probes:
    """Journals of a run that goes on: 10 000 sessions, and so many records a second from a thread."""

    def __init__(self, home: Path) -> None:
        self.path = home / "runs" / "20260102-000000-bench-0000"
        self.path.mkdir(parents=True)
        names = (CONTROLLER, *VANTAGES)
        self.writers = {name: JournalWriter(self.path / f"{name}.db", name) for name in names}
        self._stop = threading.Event()
        self._random = random.Random(7)
        now_ns = time.monotonic_ns()
        for record in opening(now_ns - 2 * SECOND_NS):
            if isinstance(record, RunStarted):
                offset_ns = time.time_ns() - time.monotonic_ns()
                record = RunStarted(  # noqa: PLW2901
                    now_ns - 3 * SECOND_NS,
                    now_ns - 3 * SECOND_NS + offset_ns,
                    self.path.name,
                    record.version,
                    record.inventory,
                    record.experiments,
                )
            elif isinstance(record, ProbeStarted):
                record = ProbeStarted(record.t_ns, 0, record.vantage, "ring", SESSIONS, 1_000_000_000, 50_000_000)  # noqa: PLW2901
            self.write(record)
        self.sync()

    def write(self, record: Record) -> None:
        self.writers[getattr(record, "vantage", "") or CONTROLLER].append(record)

    def sync(self) -> None:
        for writer in self.writers.values():
            writer.sync()

    def start(self) -> None:
        threading.Thread(target=self._go_on, daemon=True).start()

    def _go_on(self) -> None:
        while not self._stop.wait(0.1):
            now_ns = time.monotonic_ns()
            number = now_ns // (SECOND_NS // 10)
            for vantage in VANTAGES:
                if number % 10 == 0:
                    site, node, pool = ("dc1", "ace1", "N1") if vantage in ("c1", "c2") else ("dc2", "ace3", "N2")
                    self.write(
                        Summary(now_ns, vantage, site, node, pool, SESSIONS, 9, 9, 0, 0, 210_000, 900_000, (0,) * 24)
                    )
                    self.write(ProbeHealth(now_ns, vantage, 5, 1, 2, 3, 0, 0, 0, 0, 0, 10**8, ()))
            for _ in range(RECORDS_A_SECOND // 10 - 1):
                vantage, slot = self._random.choice(VANTAGES[1:]), self._random.randrange(SESSIONS)
                if self._random.random() < 0.5:
                    self.write(answered(now_ns, vantage, slot, self._random.choice(("dc1", "dc2"))))
                else:
                    begin_ns = now_ns - 3 * SECOND_NS
                    fields = (begin_ns, begin_ns, begin_ns, now_ns, now_ns, now_ns)
                    self.write(OutageEnded(now_ns, vantage, slot, Clock.DATA_PLANE, *fields, 3, 0, 0, False, True, 0))

    def silence(self, slot: int) -> float:
        """Have one session of c1 fall silent; return when that was committed."""
        now_ns = time.monotonic_ns()
        self.write(OutageBegan(now_ns, "c1", slot, Clock.DATA_PLANE, now_ns - SECOND_NS))
        self.writers["c1"].sync()
        return time.monotonic()

    def close(self) -> None:
        self._stop.set()
        for writer in self.writers.values():
            writer.close()


def starts(home: Path, rounds: int) -> list[float]:
    """Return how long it took from the command to its first full picture of a recorded run."""
    found = []
    for _ in range(rounds):
        with shown(home, "last") as screen:
            # The last line but the keys: when the lanes' legend is there, all above it is.
            found.append(screen.shows("no data") - screen.started_s)
    return found


def changes(probes: Probes, screen: Screen, rounds: int) -> list[float]:
    """Return how long it took from a commit to a journal until it was drawn."""
    found = []
    for slot in range(rounds):
        screen.forget()
        committed_s = probes.silence(slot)
        found.append(max(0.0, screen.shows(f"c1: {slot + 1} of {SESSIONS} sessions without answer", 10) - committed_s))
        time.sleep(0.37)
    return found


def keys(screen: Screen, rounds: int) -> list[float]:
    """Return how long it took from a key until what it asks for was drawn."""
    found = []
    for _ in range(rounds):
        for key, words in (("2", "from →"), ("6", "ring drops"), ("1", "Network")):
            screen.forget()
            pressed_s = time.monotonic()
            screen.press(key)
            found.append(screen.shows(words, 10) - pressed_s)
            time.sleep(0.2)
    return found


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def load_percent(pid: int, seconds: float) -> float:
    """Return the part of a core that a process takes."""
    before_s, began_s = cpu_s(pid), time.monotonic()
    time.sleep(seconds)
    return 100 * (cpu_s(pid) - before_s) / (time.monotonic() - began_s)


def rss_mb(pid: int) -> float:
    """Return the most memory that a process has had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def measure(short: bool, say: Callable[[str], None]) -> Measured:
    """Measure all of it."""
    assert records()
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        write_run(home)
        say("... start to first picture")
        started = starts(home, 3 if short else 7)
        probes = Probes(home)
        probes.start()
        try:
            with shown(home) as screen:
                screen.shows("Network")
                say("... keys")
                time.sleep(2)
                pressed = keys(screen, 3 if short else 10)
                say(f"... load, {len(VANTAGES) * SESSIONS} sessions, {RECORDS_A_SECOND} records a second")
                live = load_percent(screen.drawing, 4 if short else 20)
                screen.press("3")
                table = load_percent(screen.drawing, 4 if short else 20)
                screen.press("1")
                say("... change in the journal to the screen")
                changed = changes(probes, screen, 3 if short else 10)
                memory = rss_mb(screen.drawing)
        finally:
            probes.close()
    middle = statistics.median
    return Measured(
        middle(started), max(started), middle(changed), max(changed), middle(pressed), max(pressed), live, table, memory
    )


def main() -> int:
    """Print the figures beside what they must keep to; 1 where one does not."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.screen", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few rounds: does it work at all")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    arguments = parser.parse_args()

    def say(text: str) -> None:
        print(text, flush=True)  # noqa: T201

    found = measure(arguments.short, say)
    rows = (
        (
            "start to first full picture",
            f"{found.start_s:.2f} s (worst {found.start_worst_s:.2f})",
            "1 s",
            found.start_s <= LIMITS["start_s"],
        ),
        (
            "change in the journal to the screen",
            f"{found.change_s * 1e3:.0f} ms (worst {found.change_worst_s * 1e3:.0f})",
            "250 ms",
            found.change_s <= LIMITS["change_s"],
        ),
        (
            "key to its answer",
            f"{found.key_s * 1e3:.0f} ms (worst {found.key_worst_s * 1e3:.0f})",
            "50 ms",
            found.key_s <= LIMITS["key_s"],
        ),
        (
            "processor, live screen",
            f"{found.cpu_percent:.0f} % of a core",
            "30 %",
            found.cpu_percent <= LIMITS["cpu_percent"],
        ),
        (
            "processor, sessions screen",
            f"{found.cpu_sessions_percent:.0f} % of a core",
            "30 %",
            found.cpu_sessions_percent <= LIMITS["cpu_percent"],
        ),
        ("memory", f"{found.rss_mb:.0f} MB", "150 MB", found.rss_mb <= LIMITS["rss_mb"]),
    )
    say(f"\n{'what':<38} {'median':<28} {'at most':<8}")
    for what, figure, limit, kept in rows:
        say(f"{what:<38} {figure:<28} {limit:<8} {'kept' if kept else 'NOT KEPT'}")
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(found), indent=1) + "\n")
    return 0 if all(kept for *_, kept in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
