"""Records in words: one line each, for the life of a session and for what happened around an event."""

from __future__ import annotations

from dataclasses import dataclass

from core.evidence import EvidenceWritten
from core.outage import interval
from core.path_records import PathTraced
from core.records import (
    Answer,
    Drop,
    ExperimentPhase,
    FaultStep,
    Note,
    Opened,
    OutageBegan,
    OutageEnded,
    ProbeStarted,
    ProbeStopped,
    Record,
)
from tui.model.news import Level
from tui.model.places import Place
from tui.model.words import bounds, milliseconds, seconds


@dataclass(frozen=True, slots=True)
class Fact:
    """One record in words. `number` is its place in the run."""

    number: int
    t_ns: int
    vantage: str
    slot: str
    kind: str
    text: str
    level: Level


def fact(number: int, record: Record) -> Fact | None:
    """Return a record in words, None for those that come every second."""
    kind, text, level = _words(record)
    if not kind:
        return None
    slot = getattr(record, "slot", None)
    return Fact(
        number, record.t_ns, getattr(record, "vantage", ""), "" if slot is None else str(slot), kind, text, level
    )


def _words(record: Record) -> tuple[str, str, Level]:
    match record:
        case Opened():
            again = f", restart {record.restart}" if record.restart else ""
            words = f"{record.source}:{record.source_port}, round trip {milliseconds(record.rtt_ns)} ms{again}"
            return "opened", words, Level.GOOD
        case Answer():
            place = Place(record.site, record.node, record.nat_pool)
            known = "seen in the flow" if record.node_known_by == "flow" else f"node {record.node_known_by}"
            server = f"server {record.server or '?'} saw {record.nat_address or '?'}"
            words = f"{record.site or '?'} {place.words}, {server}; {known}"
            return "answered by", words, Level.PLAIN
        case Drop():
            return "dropped", f"{record.cause}: {record.detail}, {seconds(record.age_ns)} old", Level.BAD
        case OutageBegan():
            return "outage began", f"{record.clock.replace('_', ' ')}", Level.BAD
        case OutageEnded():
            mine = "the probe's own: " if record.self_inflicted else ""
            lived = "" if record.same_session else ", not survived"
            words = f"{mine}{record.clock.replace('_', ' ')} {bounds(interval(record))}, {record.lost} lost{lived}"
            return "outage ended", words, Level.PLAIN if record.self_inflicted else Level.ODD
        case PathTraced():
            way = " > ".join(hop or "*" for hop in record.hops)
            return "path", f"{way}{' (without answer)' if record.silent else ''}", Level.PLAIN
        case _:
            return _other_words(record)


def _other_words(record: Record) -> tuple[str, str, Level]:
    """The same of what is not about one session."""
    match record:
        case FaultStep():
            return (
                f"fault {record.phase.replace('_', ' ')}",
                f"{record.fault}  {' '.join(record.detail.split())}",
                Level.ODD,
            )
        case ExperimentPhase():
            return "phase", f"{record.experiment}: {record.phase}  {record.detail}", Level.PLAIN
        case EvidenceWritten():
            return "evidence", f"{record.path}: {', '.join(record.events)}, {record.packets} packets", Level.PLAIN
        case ProbeStarted():
            return "probe started", f"{record.engine} engine, {record.sessions} sessions", Level.PLAIN
        case ProbeStopped():
            return "probe stopped", record.reason, Level.PLAIN
        case Note():
            return "note", f"{record.source}: {record.text}", Level.ODD
        case _:
            return "", "", Level.PLAIN
