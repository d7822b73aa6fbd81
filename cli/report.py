"""The command `report`: table and verdict of a run again, from its journal alone."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cli.output import check_writable, colored, write_whole
from cli.verdict import exit_code, judge_run
from store.runs import find_run

LARGE_BYTES = 10_000_000
"""More takes seconds, and something is said of it first."""


@click.command()
@click.argument("run")
@click.option(
    "--json", "json_file", help="Write the whole outcome to FILE ('-': standard output, instead of the table)."
)
@click.option("--markdown", "markdown_file", type=click.Path(path_type=Path), help="Write the report to FILE.")
@click.option("--junit", "junit_file", type=click.Path(path_type=Path), help="Write JUnit XML, for CI, to FILE.")
@click.option("--html", "html_file", type=click.Path(path_type=Path), help="Write the report as one page to FILE.")
@click.option("--color/--no-color", default=None, help="Colour on or off; without it, on a terminal only.")
def report(
    run: str,
    json_file: str | None,
    markdown_file: Path | None,
    junit_file: Path | None,
    html_file: Path | None,
    color: bool | None,
) -> None:
    """Judge RUN again: an id, the beginning of one, `last`, or a directory. Exits with the outcome's code.

    \b
    Examples:
      vipchaos report last
      vipchaos report 20261124 --json outcome.json
      vipchaos report last --junit junit.xml
      vipchaos report last --html report.html
    """
    check_writable(markdown_file, junit_file, html_file, Path(json_file) if json_file and json_file != "-" else None)
    found = find_run(run)
    if found.bytes > LARGE_BYTES:
        click.echo(f"reading and judging {found.bytes / 1e6:.0f} MB of journals", err=True)
    judged = judge_run(found)
    if markdown_file:
        write_whole(markdown_file, judged.markdown())
    if junit_file:
        write_whole(junit_file, judged.junit())
    if html_file:
        click.echo(f"drawing {html_file}", err=True)
        write_whole(html_file, judged.html())
    if json_file == "-":
        click.echo(judged.json(), nl=False)
    else:
        if json_file:
            write_whole(Path(json_file), judged.json())
        chosen = colored(color)
        click.echo(judged.text(chosen), nl=False, color=chosen)
    sys.exit(exit_code(judged))
