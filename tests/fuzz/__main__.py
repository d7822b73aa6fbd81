"""`make fuzz`: ten million random and mutated packets through the receive side, held against the model."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
import traceback
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from tests.fuzz.chunk import Chunk, Seen

CHUNK = 50_000
SAY_S = 10.0


@dataclass(frozen=True)
class Played:
    """What came of one chunk: what it has shown, or how it failed."""

    number: int
    seen: Seen
    failure: str


def play(seed: int, number: int, packets: int) -> Played:
    """Play one chunk. Whatever is raised there is a finding, whatever it is."""
    chunk = Chunk(seed, number)
    try:
        return Played(number, chunk.run(packets), "")
    except Exception:  # noqa: BLE001  that is what is looked for
        return Played(number, chunk.seen, traceback.format_exc())


def say(text: str) -> None:
    """Print, at once."""
    print(text, flush=True)  # noqa: T201


def main() -> int:
    """Run what the command line asks for; 1 when anything is not explained."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--packets", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=3_600.0, help="begin nothing new after so long")
    parser.add_argument("--seed", type=int, default=None, help="the same seed plays the same packets")
    parser.add_argument("--chunk", type=int, default=None, help="play this chunk alone, as a failure names it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    wanted = parser.parse_args()
    seed = secrets.randbits(32) if wanted.seed is None else wanted.seed
    numbers = range(-(-wanted.packets // CHUNK)) if wanted.chunk is None else range(wanted.chunk, wanted.chunk + 1)
    say(f"seed {seed}: {len(numbers)} chunks of {min(CHUNK, wanted.packets)} packets, {wanted.jobs} processes")
    return _run(seed, numbers, min(CHUNK, wanted.packets), wanted.seconds, wanted.jobs)


def _run(seed: int, numbers: range, packets: int, seconds: float, jobs: int) -> int:
    began_s = said_s = time.monotonic()
    total, failed = Seen(), 0
    with ProcessPoolExecutor(jobs) as pool:
        running: set[Future[Played]] = {pool.submit(play, seed, number, packets) for number in numbers}
        for done in as_completed(running):
            played = done.result() if not done.cancelled() else None
            if played is None:
                continue
            total.add(played.seen)
            if played.failure:
                failed += 1
                say(f"chunk {played.number} (again by --seed {seed} --chunk {played.number}):\n{played.failure}")
            passed_s = time.monotonic() - began_s
            if time.monotonic() - said_s >= SAY_S:
                said_s = time.monotonic()
                say(f"... {total.packets} packets, {total.packets / passed_s:.0f} a second")
            if passed_s > seconds:
                for other in running:
                    other.cancel()
    return _tell(total, failed, time.monotonic() - began_s)


def _tell(total: Seen, failed: int, seconds: float) -> int:
    say(f"{total.packets} packets in {seconds:.0f} s, {total.packets / seconds:.0f} a second")
    say(f"the filter would have refused {total.refused_by_filter} more")
    say("by kind: " + ", ".join(f"{kind} {count}" for kind, count in total.kinds.most_common()))
    say(f"answers noted {total.answers}, sessions moved {total.moved}, opened {total.opened}, dropped {total.dropped}")
    say("ignored: " + ", ".join(f"{reason} {count}" for reason, count in total.ignored.most_common()))
    say(f"not explained: {failed}" if failed else "no crash, and every slot as the model has it after every batch")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
