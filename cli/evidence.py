"""The command `evidence`: the packet files that the probes of a run wrote around outages and drops."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click

from core.errors import CallError
from core.evidence import EvidenceWritten
from core.records import ProbeStarted, Record
from store.journal import read_journal
from store.runs import find_run

_ROW = "{:<23} {:<8} {:<28} {:>8} {:>7} {:>8}  {}"


@click.command()
@click.argument("run", required=False)
@click.option("--journal", type=click.Path(path_type=Path), help="Journal of one agent, instead of a run.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def evidence(run: str | None, journal: Path | None, as_json: bool) -> None:
    """List the packets kept around each outage and drop of RUN: an id, the beginning of one, `last`, or a directory.

    The files are pcapng: Wireshark, tshark and tcpdump open them. Their comments say which session and event.

    \b
    Examples:
      vipchaos evidence last
      vipchaos evidence 20261124 --json
      vipchaos evidence --journal c1.db
    """
    if (run is None) == (journal is None):
        raise CallError("evidence: name a run or a --journal, one of the two; `vipchaos runs` lists the runs")
    if journal is not None:
        directory, records = journal.resolve().parent, read_journal(journal)[0]
    else:
        found = find_run(str(run))
        directory, records = found.path, found.read_all()
    entries = [_entry(record, directory, wall_ns) for record, wall_ns in written(records)]
    if as_json:
        click.echo(json.dumps(entries, indent=2))
    elif not entries:
        click.echo("no evidence: nothing was written, for no outage and no drop was seen", err=True)
    else:
        click.echo(_ROW.format("from", "vantage", "events", "sessions", "packets", "bytes", "file"))
        for entry in entries:
            click.echo(_line(entry))


def written(records: Iterable[Record]) -> list[tuple[EvidenceWritten, int]]:
    """Return the records of evidence files in order of time, each with the wall-clock instant that it is from, in ns.

    That is 0 where the journal does not tell when its probe began.
    """
    offset_ns: dict[str, int] = {}
    found = []
    for record in records:
        if isinstance(record, ProbeStarted):
            offset_ns[record.vantage] = record.wall_ns - record.t_ns
        elif isinstance(record, EvidenceWritten):
            found.append(record)
    found.sort(key=lambda record: record.t_ns)
    return [(r, r.t_ns + offset_ns[r.vantage] if r.vantage in offset_ns else 0) for r in found]


def _entry(record: EvidenceWritten, directory: Path, wall_ns: int) -> dict[str, object]:
    return {
        "from_wall_ns": wall_ns,
        "vantage": record.vantage,
        "events": list(record.events),
        "sessions": record.sessions,
        "packets": record.packets,
        "bytes": record.bytes,
        "left_out_sessions": record.left_out_sessions,
        "left_out_packets": record.left_out_packets,
        "path": str(directory / record.path),
        "exists": (directory / record.path).exists(),
    }


def _line(entry: dict[str, object]) -> str:
    wall_ns, events = entry["from_wall_ns"], entry["events"]
    assert isinstance(wall_ns, int)
    assert isinstance(events, list)
    when = datetime.fromtimestamp(wall_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if wall_ns else "-"
    counts = (entry["sessions"], entry["packets"], entry["bytes"])
    line = _ROW.format(when, entry["vantage"], ", ".join(events), *counts, entry["path"])
    if entry["left_out_sessions"]:
        line += f"  ({entry['left_out_sessions']} more sessions left out)"
    return line if entry["exists"] else f"{line}  (missing)"
