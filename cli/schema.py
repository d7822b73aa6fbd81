"""The command `schema`: the JSON Schema of our YAML files, for editors."""

from __future__ import annotations

import json

import click


@click.command()
@click.argument("kind", type=click.Choice(["inventory", "experiment"]), default="experiment")
def schema(kind: str) -> None:
    """Print the JSON Schema (draft 2020-12) of inventory or experiment files; without an argument, of the latter.

    An editor that speaks to yaml-language-server takes it by a first line in the YAML file:
    `# yaml-language-server: $schema=experiment.schema.json`.

    \b
    Examples:
      vipchaos schema > experiment.schema.json
      vipchaos schema inventory > inventory.schema.json
    """
    from core.schema import experiment_schema, inventory_schema

    found = inventory_schema() if kind == "inventory" else experiment_schema()
    click.echo(json.dumps(found, indent=2))
