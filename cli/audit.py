"""The commands `audit` and `audit verify`: who asked for what, what the guard said, whether that is whole."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

from core.audit import Broken, Entry

FAILED = 1
COLUMNS = ("faults", "fault", "reason", "words", "why", "plan", "announcing")


@click.group(invoke_without_command=True)
@click.option("--file", type=click.Path(path_type=Path), help="Another audit than this user's.")
@click.option("--last", type=click.IntRange(1), default=20, show_default=True, help="So many entries.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.pass_context
def audit(ctx: click.Context, file: Path | None, last: int, as_json: bool) -> None:
    """List who asked for which fault and what the guard said and did.

    \b
    Examples:
      vipchaos audit --last 50
      vipchaos audit verify
    """
    from store.audit import Audit, audit_file

    ctx.obj = Audit(file or audit_file())
    if ctx.invoked_subcommand is not None:
        return
    found = [entry for entry in ctx.obj.read() if isinstance(entry, Entry)][-last:]
    if as_json:
        click.echo(json.dumps([_document(entry) for entry in found], indent=2))
        return
    for entry in found:
        words = "; ".join(f"{key} {_words(entry.values[key])}" for key in COLUMNS if entry.values.get(key))
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(entry.wall_ns / 1e9))
        click.echo(f"{entry.number:>6}  {when} UTC  {entry.what:<14}  {entry.values.get('lease', '')}  {words}")
    if not found:
        click.echo(f"{ctx.obj.path}: nothing yet", err=True)


@audit.command()
@click.option("--expect", metavar="HASH", help="The last hash, as you have kept it elsewhere: shows a cut-off end too.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def verify(found: object, expect: str | None, as_json: bool) -> None:
    """Check that no entry was changed, put in or taken out; exit code 1 when one was.

    Each entry carries the hash of the one before. A line that was torn by the death of its writer is told, and breaks
    nothing. That the end was cut off only a last hash that is kept elsewhere can show.

    \b
    Examples:
      vipchaos audit verify
      vipchaos audit --file copy.jsonl verify --expect 9f86d081884c7d65...
    """
    from store.audit import Audit

    assert isinstance(found, Audit)
    read = found.read()
    entries = [item for item in read if isinstance(item, Entry)]
    broken = [item for item in read if isinstance(item, Broken)]
    last = entries[-1].hash if entries else ""
    problems = [f"line {item.line} {item.why}" for item in broken if not item.torn]
    if expect is not None and expect not in [entry.hash for entry in entries]:
        problems.append("no entry has the hash that was expected: the end was cut off, or this is another audit")
    torn = [f"line {item.line} {item.why}" for item in broken if item.torn]
    if as_json:
        click.echo(json.dumps({"entries": len(entries), "last": last, "problems": problems, "torn": torn}, indent=2))
    else:
        for line in torn:
            click.echo(f"{found.path}: {line}", err=True)
        for line in problems:
            click.echo(f"{found.path}: {line}", err=True)
        click.echo(f"{len(entries)} entries, {len(problems)} problems; last hash {last or '(none)'}")
    sys.exit(FAILED if problems else 0)


def _document(entry: Entry) -> dict[str, object]:
    return {
        "n": entry.number,
        "wall_ns": entry.wall_ns,
        "who": entry.who,
        "what": entry.what,
        "values": dict(entry.values),
        "hash": entry.hash,
    }


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {said or 'yes'}" for key, said in value.items())
    return ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)
