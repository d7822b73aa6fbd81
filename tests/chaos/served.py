"""A process that serves two game days with a stand-in for the runs, and may kill itself between any two steps.

`python -m tests.chaos.served PLACE KILL_AT FIRST SECOND SECONDS HOW`: the instants in seconds of the epoch. It ends
by itself once both have an end; KILL_AT counts the steps, -1 is never. Each step is printed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from chaos.serve import Service, World
from core.game_days import GameDay, Once
from core.schedule import State
from store.ledger import Ledger

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENTS = ROOT / "experiments"
NAMES = ("one", "two")
ENDS = (State.FINISHED, State.MISSED, State.BLOCKED, State.ABORTED)


def game_days(instants: list[float], grace_s: float = 30) -> list[GameDay]:
    return [
        GameDay(
            name,
            str(EXPERIMENTS / "lab.yaml"),
            (str(EXPERIMENTS / "node-failover.yaml"),),
            Once(datetime.fromtimestamp(at, UTC).replace(tzinfo=None)),
            ZoneInfo("UTC"),
            (),
            timedelta(seconds=grace_s),
            enabled=True,
        )
        for name, at in zip(NAMES, instants, strict=True)
    ]


def stand_in(place: Path, seconds: str, code: str, how: str) -> object:
    def command(_game_day: GameDay, key: str) -> list[str]:
        return [sys.executable, "-m", "tests.chaos.stand_in", str(place), key, seconds, code, how]

    return command


async def main() -> None:
    place, kill_at, seconds, how = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[5], sys.argv[6]
    count = 0

    def step(name: str) -> None:
        nonlocal count
        sys.stdout.write(f"{count} {name}\n")
        sys.stdout.flush()
        if count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    with Ledger(place) as ledger:

        def all_ended() -> bool:
            last = ledger.last()
            return all(name in last and last[name].state in ENDS for name in NAMES)

        def told(_: object) -> None:
            if all_ended():
                service.stop()

        world = World(place, stand_in(place, seconds, "0", how), told, step, lease_directory=place / "leases")  # type: ignore[arg-type]
        service = Service(game_days([float(at) for at in sys.argv[3:5]]), ledger, world)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, service.stop)
        told(None)
        await service.serve()


if __name__ == "__main__":
    asyncio.run(main())
