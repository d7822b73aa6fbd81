"""`make bench`: vipchaos beside other tools in one run, medians and ratios; `--short` is the cut that CI takes."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median

from tests.bench.held import Held, Load, hold
from tests.bench.peers import PEERS, Peer
from tests.bench.world import world

ROUNDS = 3
MAIN = Load(10_000, 0.1, 60)
SMALL = Load(100, 0.01, 20)
LARGE = Load(100_000, 1.0, 20, sources=10)
SCALE = (Load(100, 1.0, 10), Load(1_000, 1.0, 10), Load(10_000, 1.0, 10))


def say(text: str = "") -> None:
    """Print, at once."""
    print(text, flush=True)  # noqa: T201


def measure(load: Load, directory: Path) -> Held:
    """Measure one load in a world of its own."""
    say(f"... {load.sessions} sessions, one heartbeat each {load.period_s:g} s, {load.seconds:g} s")
    with world(load.sources, load.sessions) as ends:
        return hold(ends, load, directory)


def measure_peers(short: bool) -> list[Peer]:
    """Measure every peer `ROUNDS` times and return the medians."""
    found = []
    with world() as ends:
        for peer, count in PEERS:
            say(f"... {peer.__name__}")
            rounds = [peer(ends, count // 10 if short else count) for _ in range(1 if short else ROUNDS)]
            middle = median(one.cpu_us for one in rounds)
            found.append(min(rounds, key=lambda one: abs(one.cpu_us - middle)))
    return found


def row(held: Held) -> str:
    """Return the line of one load."""
    return (
        f"{held.load.sessions:>8} {held.load.period_s:>7g} {held.answered / held.wall_s:>9.0f} {held.cpu_us:>7.2f} "
        f"{held.user_us:>6.2f} {held.core:>7.1%} {held.machine_s / held.wall_s:>8.1%} {held.sent - held.answered:>6} "
        f"{held.skipped:>6} {held.ring_dropped:>5} {held.self_inflicted:>5} {held.late_p99_ms:>8.2f} "
        f"{held.opened_in_s:>7.1f} {held.grown_bytes / 1e6:>7.1f}"
    )


HEAD = (
    "sessions  period   beats/s  cpu us   user    core  machine  unansw  missed  ring  self   p99 ms  open s     RSS\n"
    "                s             each   each                           sends  drops  infl     late             MB"
)


def main() -> int:
    """Run it all and print two tables."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="small loads and few probes: does it work at all")
    parser.add_argument("--json", type=Path, help="write every figure there too")
    arguments = parser.parse_args()
    main_load = Load(500, 0.1, 3) if arguments.short else MAIN
    loads = [main_load] if arguments.short else [main_load, SMALL, *SCALE, LARGE]
    peers = measure_peers(arguments.short)
    with tempfile.TemporaryDirectory() as directory:
        held = [measure(load, Path(directory)) for load in loads]
    ours = held[0]
    say("\nwhat one heartbeat costs: processor time of the tool, the kernel's part for both ends included")
    say(f"{'':26}{'cpu us':>8}{'ratio':>8}  what it is")
    say(f"{'vipchaos, ring engine':26}{ours.cpu_us:>8.2f}{1:>8.1f}  keepalive on a held session, answered by an ACK")
    for peer in sorted(peers, key=lambda one: -one.cpu_us):
        say(f"{peer.name:26}{peer.cpu_us:>8.2f}{peer.cpu_us / ours.cpu_us:>8.1f}  {peer.what}")
    say(f"\nvipchaos under load\n{HEAD}")
    for one in held:
        say(row(one))
    if arguments.json:
        document = {"held": [asdict(one) for one in held], "peers": [asdict(one) for one in peers]}
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
