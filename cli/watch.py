"""The command `watch`: a run on the terminal's whole screen, while it goes on or replayed."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click

from cli import EXPERIMENTS

WEB_PORT = 8087
THEMES = ("dark", "light", "contrast", "16")


@click.command()
@click.argument("run", required=False)
@click.option("--arm", is_flag=True, help="Allow to run faults from the screens (each asks for its name, typed).")
@click.option("--read-only", is_flag=True, help="Show only: no kill switch, no revert, no export.")
@click.option("--web", is_flag=True, help="Serve the screens to a browser on this machine, read-only.")
@click.option("--port", type=click.IntRange(1, 65535), default=WEB_PORT, show_default=True, help="Port of --web.")
@click.option("--inventory", type=click.Path(path_type=Path), help="Inventory of the experiments that can be run.")
@click.option("--experiments", type=click.Path(path_type=Path, file_okay=False), help="Directory of experiments.")
@click.option("--game-days", type=click.Path(path_type=Path, dir_okay=False), help="File of game days to show.")
@click.option("--keys", type=click.Path(path_type=Path, dir_okay=False), help="YAML file of other keys (id: keys).")
@click.option("--theme", type=click.Choice(THEMES), help="Without it: dark, or the terminal's own 16 colours.")
@click.option("--local", is_flag=True, help="Show local time instead of UTC (key u).")
def watch(
    run: str | None,
    arm: bool,
    read_only: bool,
    web: bool,
    port: int,
    inventory: Path | None,
    experiments: Path | None,
    game_days: Path | None,
    keys: Path | None,
    theme: str | None,
    local: bool,
) -> None:
    """Watch a run: who answers which vantage, what is failing, how long it took, what was dropped.

    Without RUN: the newest run, and each newer one that begins. With RUN (an id, the beginning of one, `last`, or a
    directory): that run, live while it goes on, else replayed on the same screens. ? lists the keys.

    \b
    Examples:
      vipchaos watch
      vipchaos watch last
      vipchaos watch 20261124-120210 --theme light
      vipchaos watch --arm --inventory staging.yaml --experiments experiments/
      vipchaos watch --web --port 8087
    """
    from cli.terminal import guarded
    from store.runs import find_run

    if arm and (read_only or web):
        raise click.UsageError("--arm does not go with --read-only or --web")
    path = _named(run) or find_run(run).path if run else None
    if web:
        _serve(run, port, theme, local)
        return
    if not _screen():
        raise click.UsageError("the screens need a terminal; `vipchaos report RUN` prints, `--web` serves a browser")
    files = (inventory, experiments, game_days)
    sys.exit(guarded(lambda: _watch(path, arm, read_only, files, keys, theme, local, run is not None)))


def _named(run: str) -> Path | None:
    """Return the one run of a name by the names of directories alone: no journal is read before the first picture."""
    from store.runs import CONTROLLER, home

    if "/" in run or run in (".", ".."):
        return None
    found = sorted(path.parent for path in (home() / "runs").glob(f"*/{CONTROLLER}.db"))
    fitting = found[-1:] if run == "last" else [path for path in found if path.name.startswith(run)]
    return fitting[0] if len(fitting) == 1 else None


def _screen() -> bool:
    """Whether there is something to draw on: a terminal, or a browser by way of textual-serve."""
    return (sys.stdin.isatty() and sys.stdout.isatty()) or "TEXTUAL_DRIVER" in os.environ


def _watch(
    path: Path | None,
    arm: bool,
    read_only: bool,
    files: tuple[Path | None, Path | None, Path | None],
    keys: Path | None,
    theme: str | None,
    local: bool,
    from_begin: bool,
) -> int:
    """Show the screens; `files`: inventory, experiments and game days of the Chaos screen."""
    inventory, experiments, game_days = files
    os.environ.setdefault("TEXTUAL_FPS", "120")  # a key is answered at the next picture: 8 ms, not 16
    from cli.output import write_whole
    from core.errors import VipchaosError
    from tui.app import WatchApp
    from tui.options import Options

    try:
        app = WatchApp(
            Options(
                run=path,
                armed=arm,
                read_only=read_only,
                theme=f"vipchaos-{theme or _theme_of_terminal()}",
                keys=keys,
                local=local,
                offset_s=time.localtime().tm_gmtoff,
                inventory=inventory or EXPERIMENTS / "lab.yaml",
                experiments=experiments or EXPERIMENTS,
                game_days=game_days,
                write=write_whole,
                from_begin=from_begin,
            )
        )
    except VipchaosError as error:
        click.echo(str(error), err=True)
        return error.exit_code
    app.run()
    return app.return_code or 0


def _theme_of_terminal() -> str:
    """Return the terminal's own colours where it has sixteen at most (terminfo's name and COLORTERM tell)."""
    term = os.environ.get("TERM", "")
    rich = os.environ.get("COLORTERM", "") in ("truecolor", "24bit") or "256color" in term or "direct" in term
    return "dark" if rich or "TEXTUAL_DRIVER" in os.environ or "kitty" in term else "16"


def _serve(run: str | None, port: int, theme: str | None, local: bool) -> None:
    from tui.web import serve

    argv = [sys.executable, "-m", "cli", "watch", "--read-only"]
    argv += [f"--theme={theme}"] if theme else []
    argv += ["--local"] if local else []
    argv += [run] if run else []
    click.echo(f"http://127.0.0.1:{port}  (read-only, this machine only; Ctrl-C ends it)", err=True)
    serve(argv, port)
