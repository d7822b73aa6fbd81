"""The command `schema`: the JSON Schema of our YAML files, for editors."""

from __future__ import annotations

import json

import click


@click.command()
@click.argument("kind", type=click.Choice(["inventory", "experiment", "game-days", "guard"]), default="experiment")
def schema(kind: str) -> None:
    """Print the JSON Schema (draft 2020-12) of one kind of our YAML files; without an argument, of experiments.

    An editor that speaks to yaml-language-server takes it by a first line in the YAML file:
    `# yaml-language-server: $schema=experiment.schema.json`.

    \b
    Examples:
      vipchaos schema > experiment.schema.json
      vipchaos schema inventory > inventory.schema.json
      vipchaos schema game-days > game-days.schema.json
      vipchaos schema guard > guard.schema.json
    """
    from chaos.drivers import DECLARED
    from core import schema as schemas

    found = {
        "inventory": schemas.inventory_schema(),
        "experiment": schemas.experiment_schema(DECLARED),
        "game-days": schemas.game_days_schema(),
        "guard": schemas.guard_schema(),
    }[kind]
    click.echo(json.dumps(found, indent=2))
