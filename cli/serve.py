"""The command `serve`: runs game days when they are planned, until it is told to end."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from chaos.drivers import DECLARED
from cli.schedule import row_document, row_line
from core.game_days import GameDay
from core.loader import load_game_days, load_planned
from core.schedule import Row

INTERRUPTED = 130


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print each row of the ledger as a line of JSON.")
@click.option(
    "--member",
    type=click.Path(path_type=Path),
    help="This controller's directory of `vipchaos enrol`: one of several controllers, of which one runs.",
)
@click.argument("game_days", type=click.Path(path_type=Path))
def serve(game_days: Path, as_json: bool, member: Path | None) -> None:
    """Run the game days of the file GAME_DAYS by `vipchaos run` when they are planned, one at a time.

    Each row of the ledger is printed; `vipchaos schedule --history` shows them again. SIGTERM and Ctrl-C end it in
    order: a run that is on is aborted, its faults are reverted. After a kill -9, start it again.

    \b
    Examples:
      vipchaos schedule game-days.yaml
      vipchaos serve game-days.yaml
    """
    loaded = load_game_days(game_days)
    for game_day in loaded:
        load_planned(game_day, DECLARED)  # refuse bad files now and not in the night

    def tell(row: Row) -> None:
        click.echo(json.dumps(row_document(row)) if as_json else row_line(row))
        sys.stdout.flush()

    for game_day in loaded:
        if not game_day.enabled:
            click.echo(f"{game_day.name} is not enabled", err=True)
    sys.exit(asyncio.run(_serve(loaded, tell, member)))


async def _serve(game_days: tuple[GameDay, ...], tell: Callable[[Row], None], member: Path | None) -> int:
    from chaos.serve import Service, World
    from cli.standing_by import looking_after
    from store.ledger import Ledger, directory

    place = directory()
    received: list[int] = []
    with Ledger(place) as ledger:
        service = Service(game_days, ledger, World(place, partial(_command, member), tell))

        def end(number: int) -> None:
            received.append(number)
            service.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, end, number)
        click.echo(f"serving; the ledger is {ledger.path}", err=True)
        with looking_after(member):
            await service.serve()
    return INTERRUPTED if received[:1] == [signal.SIGINT] else 0


def _command(member: Path | None, game_day: GameDay, name: str) -> list[str]:
    """Return the argv of one run."""
    from store.ledger import directory

    return [
        *(sys.executable, "-m", "cli", "run", "--lifeline", "--no-color", "--name", name),
        *(("--member", str(member.resolve()), "--once", name) if member else ()),
        *("--json", str((directory() / f"{name}.json").resolve())),
        *("--inventory", str(Path(game_day.inventory).resolve())),
        *(str(Path(path).resolve()) for path in game_day.experiments),
    ]
