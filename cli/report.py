"""The command `report`: table and verdict of a run again, from its journal alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from cli.output import write_whole
from cli.verdict import exit_code, judge_run
from store.runs import find_run


@click.command()
@click.argument("run")
@click.option(
    "--json", "json_file", help="Write the whole outcome to FILE ('-': standard output, instead of the table)."
)
@click.option("--markdown", "markdown_file", type=click.Path(path_type=Path), help="Write the report to FILE.")
@click.option("--junit", "junit_file", type=click.Path(path_type=Path), help="Write JUnit XML, for CI, to FILE.")
@click.option("--color/--no-color", default=None, help="Colour on or off; without it, on a terminal only.")
def report(
    run: str, json_file: str | None, markdown_file: Path | None, junit_file: Path | None, color: bool | None
) -> None:
    """Judge RUN again: an id, the beginning of one, `last`, or a directory. Exits with the outcome's code.

    \b
    Examples:
      vipchaos report last
      vipchaos report 20261124 --json outcome.json
      vipchaos report last --junit junit.xml
    """
    judged = judge_run(find_run(run))
    if markdown_file:
        write_whole(markdown_file, judged.markdown())
    if junit_file:
        write_whole(junit_file, judged.junit())
    if json_file == "-":
        click.echo(judged.json(), nl=False)
    else:
        if json_file:
            write_whole(Path(json_file), judged.json())
        chosen = sys.stdout.isatty() and "NO_COLOR" not in os.environ if color is None else color
        click.echo(judged.text(chosen), nl=False, color=chosen)
    sys.exit(exit_code(judged))
