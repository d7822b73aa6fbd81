"""The command `schedule`: the next runs of game days, which of them will be blocked and why, and the ledger."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from chaos.drivers import DECLARED
from chaos.wall import wall_now
from core.errors import CallError, ConfigError
from core.game_days import GameDay, key
from core.loader import load_game_days, try_planned
from core.refusals import Refusal
from core.schedule import Row, next_runs, shown, why_not

LOOKED_AT = 100
"""So many runs of a game day are looked at for the one to skip."""


@click.command()
@click.option("--next", "count", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many runs.")
@click.option("--from", "after", help="From this instant on, such as 2026-12-01T22:00:00Z; without it, from now.")
@click.option("--history", type=click.IntRange(1, 10_000), help="Show the last so many rows of the ledger instead.")
@click.option("--skip", metavar="NAME", help="Leave the next run of the game day NAME out.")
@click.option("--unskip", metavar="NAME", help="Have the next run of NAME that is left out run after all.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.argument("game_days", required=False, type=click.Path(path_type=Path))
def schedule(
    count: int,
    after: str | None,
    history: int | None,
    skip: str | None,
    unskip: str | None,
    as_json: bool,
    game_days: Path | None,
) -> None:
    """Show the next runs of the file GAME_DAYS in UTC and in local time, and which will be blocked and why.

    Nothing is touched. With --history: what `vipchaos serve` planned, started, missed or refused on this machine.
    With --skip: the run is BLOCKED when its time comes, with the reason `skipped`; `serve` need not be started anew.

    \b
    Examples:
      vipchaos schedule game-days.yaml --next 10
      vipchaos schedule game-days.yaml --from 2026-12-24T00:00:00Z --json
      vipchaos schedule game-days.yaml --skip weekly-node-failover
      vipchaos schedule --history 50
    """
    if history is not None:
        _show_history(history, as_json)
        return
    if game_days is None:
        raise CallError("which game days? Name their file, or ask for --history")
    loaded = load_game_days(game_days)
    if skip and unskip:
        raise CallError("--skip or --unskip, one at a time")
    if skip or unskip:
        _skip(loaded, skip or unskip or "", _instant(after), wanted=bool(skip))
        return
    planned = _planned(loaded, _instant(after), count)
    if as_json:
        click.echo(json.dumps([_document(at, game_day, why) for at, game_day, why in planned], indent=2))
        return
    for at, game_day, why in planned:
        says = f"BLOCKED {why.reason}: {why.words}" if why else ""
        click.echo(f"{at:%Y-%m-%d %H:%M:%S} UTC  {shown(at, game_day):<30}  {game_day.name:<24} {says}".rstrip())
    for game_day in loaded:
        if not game_day.enabled:
            click.echo(f"{game_day.name} is not enabled", err=True)
        elif all(game_day is not other for _, other, _ in planned):
            click.echo(f"{game_day.name} has no run among these", err=True)


def _instant(text: str | None) -> datetime:
    if text is None:
        return wall_now()
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise CallError(f"--from {text}: is no instant; write it as 2026-12-01T22:00:00Z") from error
    if found.tzinfo is None:
        raise CallError(f"--from {text}: says no offset; end it with Z for UTC, or with one such as +01:00")
    return found.astimezone(UTC)


def _planned(
    game_days: Sequence[GameDay], after: datetime, count: int
) -> list[tuple[datetime, GameDay, Refusal | None]]:
    """Return the next runs, each with why it will be blocked. Raises ConfigError with the problems of all files."""
    from store.ledger import directory
    from store.skips import skipped

    loaded = {game_day.name: try_planned(game_day, DECLARED) for game_day in game_days}
    problems = [str(error) for error in loaded.values() if isinstance(error, ConfigError)]
    if problems:
        raise ConfigError("\n".join(dict.fromkeys("\n".join(problems).splitlines())))
    skips = skipped(directory())
    return [
        (at, game_day, why_not(game_day, at, at, loaded[game_day.name], skips))
        for at, game_day in next_runs(game_days, after, count)
    ]


def _skip(game_days: Sequence[GameDay], name: str, after: datetime, wanted: bool) -> None:
    """Have the next run of a game day left out, or the next one that is left out run after all."""
    from store.ledger import directory
    from store.skips import skip, skipped, take_back

    game_day = next((each for each in game_days if each.name == name), None)
    if game_day is None:
        raise CallError(f"{name}: no such game day; there are {', '.join(each.name for each in game_days)}")
    skips = skipped(directory())
    runs = [at for at, _ in next_runs([game_day], after, LOOKED_AT)]
    planned = next((at for at in runs if (key(name, at) in skips) is not wanted), None)
    if planned is None:
        raise CallError(f"{name}: none of its next {LOOKED_AT} runs is {'to be run' if wanted else 'left out'}")
    try:
        if wanted:
            skip(directory(), name, planned, f"by uid {os.getuid()}")
        else:
            take_back(directory(), name, planned)
    except OSError as error:
        raise CallError(f"{directory()}: {error.strerror}") from error
    says = "is left out" if wanted else "runs after all"
    click.echo(f"{planned:%Y-%m-%d %H:%M:%S} UTC  {shown(planned, game_day):<30}  {name} {says}")


def _document(at: datetime, game_day: GameDay, why: Refusal | None) -> dict[str, object]:
    return {
        "game_day": game_day.name,
        "planned_utc": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "planned_local": at.astimezone(game_day.zone).isoformat(),
        "time_zone": game_day.zone.key,
        "blocked": {"reason": why.reason, "words": why.words} if why else None,
    }


def row_document(row: Row) -> dict[str, object]:
    """Return a row of the ledger as `--json` shows it."""
    return {
        "game_day": row.game_day,
        "planned_utc": f"{row.planned:%Y-%m-%dT%H:%M:%SZ}",
        "state": str(row.state),
        "at_utc": row.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "timing": row.timing,
        "reason": row.reason or None,
        "words": row.words or None,
        "run": row.run or None,
        "outcome": row.outcome or None,
    }


def row_line(row: Row) -> str:
    """Return a row of the ledger as one line."""
    said = "  ".join(word for word in (row.outcome, row.run, row.reason, row.words) if word)
    return f"{row.planned:%Y-%m-%d %H:%M:%S} UTC  {row.state:<8}  {row.game_day:<24} {said}".rstrip()


def _show_history(count: int, as_json: bool) -> None:
    from store.ledger import directory, history

    rows = history(directory(), count)
    if as_json:
        click.echo(json.dumps([row_document(row) for row in rows], indent=2))
        return
    for row in rows:
        click.echo(row_line(row))
    if not rows:
        click.echo("no planned run yet: `vipchaos serve` keeps the ledger", err=True)
