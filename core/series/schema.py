"""The schema of the time series, as data: measurements, tags, fields, types, units. docs/series.md is written from it.

A field's type stays for ever: a server refuses another one. What must change gets a new name.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from core.series.measurement import Field, Kind, Measurement, Stamp

TAGS: Mapping[str, str] = MappingProxyType(
    {
        "environment": "what `vipchaos ship --environment` says: staging, production; one value a shipper",
        "vantage": "a vantage of the inventory",
        "site": "a site of the inventory that answered; `unknown` where it is not known",
        "node": "a node of the inventory that answered; `unknown` where it is not known",
        "nat_pool": "a NAT pool of the inventory; `unknown` where it is not known",
        "clock": "data_plane, new_connections or held_kernel",
        "cause": "reset, fin, timeout, icmp or answer_changed",
        "experiment": "name of an experiment; `none` where a step belongs to none",
        "fault": "name of a fault of that experiment",
        "phase": "a step of a fault's life, or of an experiment's",
        "kind": "failover or failback",
        "name": "what a change of who answers is, or may be (docs/recognising.md)",
        "source": "what a note comes from: a vantage, the controller, a guard",
        "engine": "ring or socket",
    }
)


def _integer(name: str, unit: str, about: str) -> Field:
    return Field(name, Kind.INTEGER, unit, about)


def _text(name: str, about: str) -> Field:
    return Field(name, Kind.STRING, "", about)


def _flag(name: str, about: str) -> Field:
    return Field(name, Kind.BOOLEAN, "", about)


def _bounds(clock: str, what: str) -> tuple[Field, Field]:
    return (
        _integer(f"{clock}_lower_ns", "ns", f"worst {what}: at least so long; absent without an outage"),
        _integer(f"{clock}_upper_ns", "ns", f"worst {what}: at most so long; absent without an outage"),
    )


RUN = _text("run", "id of the run; a field, for a tag would make series without end")

SESSIONS = Measurement(
    "sessions",
    "One second of one vantage, per who answered.",
    Stamp.EXACT,
    ("vantage", "site", "node", "nat_pool"),
    (
        _integer("alive", "sessions", "held sessions that this answer was last seen on"),
        _integer("sent", "heartbeats", "sent in the second"),
        _integer("answered", "heartbeats", "answered in the second"),
        _integer("skipped", "heartbeats", "due and never sent, the probe being late"),
        _integer("late_ns", "ns", "worst lateness of a heartbeat"),
        _integer("rtt_p50_ns", "ns", "median round trip; absent where none was measured"),
        _integer("rtt_p99_ns", "ns", "99th percentile of the round trip; absent where none was measured"),
        _integer("syn_sent", "SYNs", "fresh SYNs sent"),
        _integer("syn_answered", "SYNs", "fresh SYNs answered"),
    ),
    "at most vantages x (nodes + 1) x (NAT pools + 1)",
)
NODES_SEEN = Measurement(
    "nodes_seen",
    "One second's path traces inside sessions: how many showed which node.",
    Stamp.EXACT,
    ("vantage", "node"),
    (_integer("traces", "traces", "that showed the node"),),
    "vantages x nodes",
)
PROBE_HEALTH = Measurement(
    "probe_health",
    "One second of the probe itself: how far its figures can be believed.",
    Stamp.EXACT,
    ("vantage",),
    (
        _integer("tick_ns", "ns", "between two looks of the engine"),
        _integer("late_p50_ns", "ns", "median lateness of heartbeats"),
        _integer("late_p99_ns", "ns", "99th percentile of the lateness"),
        _integer("late_max_ns", "ns", "worst lateness"),
        _integer("skipped", "heartbeats", "due and never sent"),
        _integer("ring_dropped", "packets", "that found the receive ring full"),
        _integer("refused", "packets", "that the kernel did not take"),
        _integer("backlog", "packets", "that wait for the slow path"),
        _integer("visits", "sessions", "on the slow path"),
        _integer("cpu_ns", "ns", "processor time of the agent in the second"),
        _integer("lost", "heartbeats", "unanswered between two answered ones"),
        _integer("overtaken", "heartbeats", "answered after a later one was"),
    ),
    "vantages",
)
PROBES = Measurement(
    "probes",
    "An agent began at a vantage.",
    Stamp.NUMBERED,
    ("vantage", "engine"),
    (
        RUN,
        _integer("sessions", "sessions", "that it holds"),
        _integer("period_ns", "ns", "between two heartbeats of a session"),
        _integer("syn_period_ns", "ns", "between two fresh SYNs"),
    ),
    "vantages x 2",
)
OUTAGES = Measurement(
    "outages",
    "A gap in answers of one slot ended; the time is that of the first answer after it.",
    Stamp.NUMBERED,
    ("vantage", "clock"),
    (
        RUN,
        _integer("slot", "", "which of the vantage's sessions; -1: new connections"),
        _integer("lower_ns", "ns", "the gap was at least so long"),
        _integer("upper_ns", "ns", "the gap was at most so long"),
        _integer("error_ns", "ns", "what is in both bounds for the probe's own errors"),
        _integer("lost", "heartbeats", "unanswered in the gap"),
        _integer("skipped", "heartbeats", "due in the gap and never sent"),
        _integer("slip_ns", "ns", "worst lateness of the probe in the gap"),
        _flag("self_inflicted", "the probe's own lateness explains it: no outage"),
        _flag("same_session", "the session survived it"),
    ),
    "vantages x 3",
)
DROPS = Measurement(
    "drops",
    "A session ended that the probe did not end.",
    Stamp.NUMBERED,
    ("vantage", "cause"),
    (
        RUN,
        _integer("slot", "", "which of the vantage's sessions"),
        _integer("age_ns", "ns", "how long it had been open"),
        _flag("held_kernel", "it was the one on an ordinary kernel socket"),
        _text("detail", "more, in words"),
    ),
    "vantages x 5",
)
PATH_CHANGES = Measurement(
    "path_changes",
    "The path of one session changed, or was traced while it was silent.",
    Stamp.NUMBERED,
    ("vantage",),
    (
        RUN,
        _integer("slot", "", "which of the vantage's sessions"),
        _text("hops", "routers in order, `*` for one that did not answer"),
        _integer("also", "routers", "further ones that answered with the same TTL"),
        _flag("silent", "traced while heartbeats went unanswered"),
    ),
    "vantages",
)
FAULTS = Measurement(
    "faults",
    "One step of one fault.",
    Stamp.NUMBERED,
    ("experiment", "fault", "phase"),
    (
        RUN,
        _text("title", "fault and step, for an annotation"),
        _text("detail", "what was done and seen"),
        _text("lease", "id of the lease"),
        Field("lease_s", Kind.FLOAT, "s", "how long the lease lets it stay"),
        _integer("late_ns", "ns", "`injecting`: asked for so long after its planned instant; else absent"),
        _integer("took_ns", "ns", "`injected`: its command took so long, the effect came meanwhile; else absent"),
    ),
    "faults of all experiments x 10",
)
PHASES = Measurement(
    "phases",
    "A run entered a phase of an experiment.",
    Stamp.NUMBERED,
    ("experiment", "phase"),
    (RUN, _text("detail", "why, in words")),
    "experiments x 8",
)
NOTES = Measurement(
    "notes",
    "Something that the operator should read.",
    Stamp.NUMBERED,
    ("source",),
    (RUN, _text("text", "the words")),
    "vantages + 2",
)
RUNS = Measurement(
    "runs",
    "One run, at the instant of its start: RUNNING until its end, then judged from its journals.",
    Stamp.EXACT,
    (),
    (
        RUN,
        _text("outcome", "RUNNING, or PASSED, FAILED, INCONCLUSIVE, BLOCKED, MISSED, ABORTED, REVERT_FAILED"),
        _text("reason", "why, in words"),
        _integer("experiments", "experiments", "in the run"),
        _text("version", "of vipchaos"),
        Field("duration_s", Kind.FLOAT, "s", "from start to end; absent while it runs"),
        _text("reason_code", "`reason` for programs: held, broken, unknown, or a refusal's code; empty while it runs"),
    ),
    "1",
)
VERDICTS = Measurement(
    "verdicts",
    "One expectation of a run, at the run's end.",
    Stamp.NUMBERED,
    ("experiment",),
    (
        RUN,
        _text("verdict", "held, broken or unknown"),
        _text("expected", "what was expected, in words"),
        _text("vantages", "of which vantages"),
        _text("evidence", "the figures it rests on"),
    ),
    "experiments",
)
FAILOVERS = Measurement(
    "failovers",
    "What one failover or failback was to one vantage, at the instant of its injection (or revert).",
    Stamp.EXACT,
    ("experiment", "kind", "vantage"),
    (
        RUN,
        _flag("proven", "the injection (or revert) was proven by looking"),
        *_bounds("data_plane", "outage of held raw sessions"),
        *_bounds("new_connections", "outage of new connections"),
        *_bounds("held_kernel", "stall of the held kernel session"),
        _integer("first_convergence_ns", "ns", "until the first session recovered; absent without an outage"),
        _integer("full_convergence_ns", "ns", "until the last session recovered; absent without an outage"),
        _integer("slots_hit", "sessions", "that had an outage"),
        _integer("alive", "sessions", "alive at the event"),
        _integer("survived", "sessions", "of these, never dropped"),
        _integer("dropped", "sessions", "of these, dropped"),
        _integer("restarted", "sessions", "opened after the event"),
        _integer("alive_at_end", "sessions", "alive at its end"),
        _integer("self_inflicted", "gaps", "that the probe's own lateness explains"),
        _integer("ring_dropped", "packets", "that found the receive ring full"),
        _text("before", "who answered before: `site/node/pool`, with counts where they differ"),
        _text("after", "who answered at its end"),
        _text("seen_as", "what the records show it was"),
        _text("unknown", "why the figures cannot be relied on; empty: they can"),
        _text("engine", "ring, or socket, which has no data-plane clock"),
    ),
    "experiments x 2 x vantages",
)
FAULT_WINDOWS = Measurement(
    "fault_windows",
    "How long a fault was out, written at the run's end; the time is that of its injection.",
    Stamp.NUMBERED,
    ("experiment", "fault"),
    (
        RUN,
        _text("title", "for an annotation"),
        _text("text", "run and experiment, for an annotation"),
        _integer("end_ms", "ms since 1970", "when it was reverted, or the run ended"),
        Field("duration_s", Kind.FLOAT, "s", "from its injection"),
    ),
    "faults of all experiments",
)
ANSWER_CHANGES = Measurement(
    "answer_changes",
    "A change of who answers, as recognised at the run's end in the records of one vantage.",
    Stamp.NUMBERED,
    ("vantage", "name"),
    (
        RUN,
        _text("before", "node, site or NAT pool"),
        _text("after", "node, site or NAT pool"),
        _text("site", "where it happened, of a change inside one"),
        _integer("sessions", "sessions", "that were part of it"),
        _integer("of", "sessions", "known at that time"),
        _integer("survived", "sessions", "that went on without a restart"),
        _flag("certain", "the facts allow this name only"),
        _text("why", "more, in words"),
    ),
    "vantages x 13, and combinations where the facts allow more than one name",
)
SHIPPER = Measurement(
    "shipper",
    "The shipper itself, each ten seconds.",
    Stamp.EXACT,
    (),
    (
        _integer("lag_records", "records", "in journals and not shipped"),
        Field("lag_s", Kind.FLOAT, "s", "age of the oldest of them; 0 without any"),
        _integer("dead_letters", "points", "that the server refused, ever"),
        _integer("accepted", "points", "that the server took, ever"),
        Field("rate_per_s", Kind.FLOAT, "points/s", "over the last minute"),
    ),
    "1",
)

SCHEMA: tuple[Measurement, ...] = (
    SESSIONS,
    NODES_SEEN,
    OUTAGES,
    DROPS,
    PATH_CHANGES,
    PROBES,
    PROBE_HEALTH,
    FAULTS,
    PHASES,
    NOTES,
    RUNS,
    FAILOVERS,
    VERDICTS,
    FAULT_WINDOWS,
    ANSWER_CHANGES,
    SHIPPER,
)
