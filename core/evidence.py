"""The fact that packets were written to a file as evidence; one of the record types of `core.records`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EvidenceWritten:
    """The packets around outages and drops of `sessions` sessions were written to `path`, beside the journal.

    `t_ns` is the first instant that the file is about; `events` are the kinds in it: outage, drop by reset, ...
    `left_out_*`: sessions that the same hit and packets of these that had no place in the file.
    """

    t_ns: int
    vantage: str
    path: str
    events: tuple[str, ...]
    sessions: int
    packets: int
    bytes: int
    left_out_sessions: int = 0
    left_out_packets: int = 0
