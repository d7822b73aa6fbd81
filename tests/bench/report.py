"""What a journal weighs and how fast it is read, judged and drawn: `python -m tests.bench.report`, of `make bench` too.

An hour of 10 000 sessions at four vantages with the six events of the demo, made by `tests.recorded.synthetic`; and the
same story told five times in that hour, which is over a million records.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cli.verdict import Basis, judge_run
from core.judge import judge
from core.loader import parse_inventory, parse_past_experiments
from tests.pages import put
from tests.recorded.synthetic import Synthetic

T = TypeVar("T")
ROUNDS = 3


@dataclass(frozen=True)
class Figure:
    """One thing measured: wall and processor seconds, the least of the rounds; `size` in bytes where it has one."""

    what: str
    limit: str
    wall_s: float
    cpu_s: float
    size: int = 0

    def line(self) -> str:
        """Return it as a row of the table."""
        if self.size:
            return f"{self.what:<62} {self.size / 1e6:>9.1f} MB {'':>9}   {self.limit}"
        return f"{self.what:<62} {self.wall_s:>10.3f} s {self.cpu_s:>8.3f} s  {self.limit}"


HEAD = f"{'':<62} {'wall':>12} {'processor':>10}  wanted"


def timed(what: str, limit: str, call: Callable[[], T], rounds: int = ROUNDS) -> tuple[Figure, T]:
    """Measure `call`, the best of some rounds, and return what it gave."""
    walls, cpus = [], []
    for _ in range(rounds):
        gc.collect()
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        found = call()
        walls.append(time.perf_counter() - wall_s)
        cpus.append(time.process_time() - cpu_s)
    return Figure(what, limit, min(walls), min(cpus)), found


def measure(sessions: int, seconds: int, rounds: int) -> list[Figure]:
    """Return every figure of a run of that size; `rounds`: how often the larger one tells the story."""
    figures = []
    hour = Synthetic(sessions=sessions, seconds=seconds)
    count = len(hour.all())
    with tempfile.TemporaryDirectory() as directory:
        run = hour.write(Path(directory) / "hour")
        size = sum(path.stat().st_size for path in run.path.glob("*.db"))
        figures.append(Figure(f"journals, {count} records", "50 MB", 0, 0, size))
        figure, found = timed("last hour for a dashboard, read", "0.05 s", lambda: run.last_seconds(3600))
        assert len(found) >= 4 * (seconds - 2)
        figures.append(figure)
        figure, judged = timed("the run, read and judged", "", lambda: judge_run(run), 1)
        assert judged.basis is not None
        figures += [figure, judging(judged.basis)]
        judged.html()  # imports, and the first look for fonts
        figure, page = timed("its report: read, judged and drawn", "10 s", lambda: judge_run(run).html(), 1)
        figures += [figure, Figure("its report page", "2 MB", 0, 0, len(page.encode()))]
    large = Synthetic(sessions=sessions, seconds=seconds, rounds=rounds)
    inventory = parse_inventory(large.inventory, "inventory")
    texts = [(f"experiment-{number}", text) for number, text in enumerate(large.experiments)]
    figures.append(judging(Basis(large.all(), inventory, parse_past_experiments(texts, inventory))))
    return figures


def judging(basis: Basis) -> Figure:
    """Measure judging alone, the garbage collector left out as `judge_run` does."""
    gc.disable()
    try:
        call = lambda: judge(basis.records, basis.inventory, basis.experiments)  # noqa: E731
        figure, _ = timed(f"{len(basis.records)} records, judged", "2 s a million", call, 2)
    finally:
        gc.enable()
    return figure


def main() -> int:
    """Measure and print; `--docs` puts the table into docs/report.md, `--short` is a small run."""
    short = "--short" in sys.argv
    figures = measure(400, 120, 2) if short else measure(10_000, 3600, 5)
    text = "\n".join([HEAD, *(figure.line().rstrip() for figure in figures)])
    print(text)  # noqa: T201
    if "--docs" in sys.argv and not short:
        put("report.md", "python -m tests.bench.report", "\n".join(f"    {line}" for line in text.splitlines()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
