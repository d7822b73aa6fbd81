"""Reading the packet captures of a run beside its records: the facts that its intervals are held against."""

from __future__ import annotations

from core.capture_records import CaptureGap
from core.clock_records import ClockOffset
from core.records import Note, Opened, OutageEnded, ProbeStarted
from core.truth import captured
from probe.capture import answers_by_port, lost
from store.runs import RunDirectory


def read_captures(run: RunDirectory) -> list[CaptureGap | Note]:
    """Return what the captures in the run's directory show at its data-plane outages. Raises CaptureError.

    A capture that lost packets shows gaps that were none; that is noted.
    """
    records = run.read_all()
    found: list[CaptureGap | Note] = []
    elsewhere = {record.vantage for record in records if isinstance(record, ClockOffset)}
    for probe in (record for record in records if isinstance(record, ProbeStarted)):
        if probe.vantage in elsewhere:
            found.append(Note(probe.t_ns, probe.vantage, "no packet capture: its agent is on another machine"))
            continue
        mine = [record for record in records if getattr(record, "vantage", "") == probe.vantage]
        ports: dict[int, list[int]] = {}
        for record in mine:
            if isinstance(record, Opened) and not record.held_kernel:
                ports.setdefault(record.slot, []).append(record.source_port)
        answers = answers_by_port(run.path / f"{probe.vantage}.pcap", probe.wall_ns - probe.t_ns)
        count = lost(run.path / f"{probe.vantage}.log")
        if count:
            found.append(Note(probe.t_ns, probe.vantage, f"the packet capture lost {count} packets"))
        found += captured([record for record in mine if isinstance(record, OutageEnded)], answers, ports)
    return found
