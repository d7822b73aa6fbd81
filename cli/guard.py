"""The command `guard`: holds the leases of this machine as a service."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.option(
    "--caps",
    type=click.Path(path_type=Path),
    help="File with the guard's own caps (YAML); without it /etc/vipchaos/guard.yaml, if there is one.",
)
@click.option("--leases", type=click.Path(path_type=Path), help="Directory of leases; without it /run/vipchaos/leases.")
def guard(caps: Path | None, leases: Path | None) -> None:
    """Guard the leases of this machine until told to stop (SIGTERM); everything that is out is reverted then.

    A run starts a guard for itself where none is. As a service it is there before the first run, and finds what was
    left over when the machine lost its power: see docs/guard.md.

    \b
    Examples:
      vipchaos guard
      vipchaos guard --caps /etc/vipchaos/guard.yaml
    """
    from chaos.guard.client import CAPS_FILE
    from chaos.guard.keeper import run
    from chaos.lease import DIRECTORY

    chosen = caps or (CAPS_FILE if CAPS_FILE.exists() else None)
    sys.exit(run([str(leases or DIRECTORY), "--stays", *(["--caps", str(chosen)] if chosen else [])]))
