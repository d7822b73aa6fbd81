"""Reading the packet captures of a run beside its records: the facts that its intervals are held against."""

from __future__ import annotations

from core.records import CaptureGap, Opened, OutageEnded, ProbeStarted
from core.truth import captured
from probe.capture import answers_by_port
from store.runs import RunDirectory


def read_captures(run: RunDirectory) -> list[CaptureGap]:
    """Return what the captures in the run's directory show at its data-plane outages. Raises CaptureError."""
    records = run.read_all()
    found: list[CaptureGap] = []
    for probe in (record for record in records if isinstance(record, ProbeStarted)):
        mine = [record for record in records if getattr(record, "vantage", "") == probe.vantage]
        ports: dict[int, list[int]] = {}
        for record in mine:
            if isinstance(record, Opened) and not record.held_kernel:
                ports.setdefault(record.slot, []).append(record.source_port)
        answers = answers_by_port(run.path / f"{probe.vantage}.pcap", probe.wall_ns - probe.t_ns)
        found += captured([record for record in mine if isinstance(record, OutageEnded)], answers, ports)
    return found
