"""The facts that a journal holds: one frozen record type per kind of fact.

Every instant `*_ns` is CLOCK_MONOTONIC in nanoseconds unless its name says `wall`.
Records are facts as seen; nothing here is a judgement. How they are written and read back: `core.bodies`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from core.capture_records import CaptureGap
from core.certificate_records import CertificateSeen
from core.clock_records import ClockOffset
from core.evidence import EvidenceWritten
from core.path_records import NodesSeen, PathTraced


class Clock(enum.StrEnum):
    """Which of the three clocks of a failover an outage was seen by (design section 5)."""

    DATA_PLANE = "data_plane"
    NEW_CONNECTIONS = "new_connections"
    HELD_KERNEL = "held_kernel"


class DropCause(enum.StrEnum):
    """Why a session ended that the probe did not end."""

    RESET = "reset"
    FIN = "fin"
    TIMEOUT = "timeout"
    ICMP = "icmp"
    ANSWER_CHANGED = "answer_changed"


class KnownBy(enum.StrEnum):
    """How the node in an answer is known; never guessed."""

    FLOW = "flow"
    CONTROL_PLANE = "control_plane"
    UNKNOWN = "unknown"


class FaultPhase(enum.StrEnum):
    """Steps of a fault's life; each is journaled when it happened."""

    PLANNED = "planned"
    ARMED = "armed"
    INJECTING = "injecting"
    INJECTED = "injected"
    PROVEN = "proven"
    NOT_PROVEN = "not_proven"
    REVERTING = "reverting"
    REVERTED = "reverted"
    REVERT_PROVEN = "revert_proven"
    REVERT_FAILED = "revert_failed"
    DRY_RUN = "dry_run"  # what would have been done


class Outcome(enum.StrEnum):
    """How a run ended (design section 2)."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    INCONCLUSIVE = "INCONCLUSIVE"
    BLOCKED = "BLOCKED"
    MISSED = "MISSED"
    ABORTED = "ABORTED"
    REVERT_FAILED = "REVERT_FAILED"


@dataclass(frozen=True, slots=True)
class RunStarted:
    """First record of a run. `inventory` and `experiments` are the YAML texts as they were; `plan` is its hash."""

    t_ns: int
    wall_ns: int
    run: str
    version: str
    inventory: str
    experiments: tuple[str, ...]
    plan: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ExperimentPhase:
    """The runner entered a phase of an experiment.

    phase: gate, steady, inject, hold, revert, settle, done, aborted. `detail` says why, in words.
    """

    t_ns: int
    experiment: str
    phase: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FaultStep:
    """One step of one fault: what was done and what was seen (command, reply).

    `planned_ns`: of INJECTING, the instant that the fault is asked for. `began_ns`: of INJECTED, when its command was
    started; `t_ns` is then when it had ended, and the effect is between the two.
    """

    t_ns: int
    experiment: str
    fault: str
    lease: str
    phase: FaultPhase
    detail: str = ""
    lease_s: float = 0.0
    planned_ns: int = 0
    began_ns: int = 0


@dataclass(frozen=True, slots=True)
class RunEnded:
    """Last record of a run that was not killed. `reason_code`: of a refusal, for programs (see `core.refusals`)."""

    t_ns: int
    wall_ns: int
    outcome: Outcome
    reason: str = ""
    reason_code: str = ""


@dataclass(frozen=True, slots=True)
class ProbeStarted:
    """An agent began at a vantage: engine, sessions, `period_ns` between heartbeats of a session."""

    t_ns: int
    wall_ns: int
    vantage: str
    engine: str
    sessions: int
    period_ns: int
    syn_period_ns: int


@dataclass(frozen=True, slots=True)
class ProbeStopped:
    """An agent ended in order."""

    t_ns: int
    vantage: str
    reason: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A session's handshake was completed. `slot` is the place it fills; restarts keep the slot.

    `held_kernel` marks the session on an ordinary kernel socket. `restart` is 0 for the first one of a slot.
    `rtt_ns`: of the handshake; -1 where it is not known which of several SYNs was answered.
    """

    t_ns: int
    vantage: str
    slot: int
    session: str
    source: str
    source_port: int
    rtt_ns: int
    restart: int
    held_kernel: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Who answers a session, written at the first answer and at each change.

    Empty text means not known (yet). `nat_address` is the source address the server saw, `nat_pool` the pool that
    holds it. `site` is the node's where the flow showed its node, else the NAT pool's, else what the service told.
    """

    t_ns: int
    vantage: str
    slot: int
    session: str
    site: str
    nat_pool: str
    nat_address: str
    server: str
    node: str
    node_known_by: KnownBy


@dataclass(frozen=True, slots=True)
class OutageBegan:
    """Three attempts in a row went unanswered; `last_sent_ns` is s(a) of the last answered one."""

    t_ns: int
    vantage: str
    slot: int
    clock: Clock
    last_sent_ns: int


@dataclass(frozen=True, slots=True)
class OutageEnded:
    """A gap in answers, by the send and receive instants that bound it (design section 5).

    s_a, r_a: last answered attempt before; s_a1: first unanswered; s_b1: last unanswered; s_b, r_b: first answered
    after. `slip_ns`: worst lateness of the probe's own timer inside the gap. `lost` counts unanswered
    attempts, `skipped` attempts that were due but never sent. `same_session`: the session survived it.
    `self_inflicted`: no outage of the path: the probe was late, or what was overdue was answered after all.
    `stamp_error_ns`: how much later than its stamp an unanswered attempt at either end may have left; -1: not kept.
    `slot` is -1 for the new-connection clock.
    """

    t_ns: int
    vantage: str
    slot: int
    clock: Clock
    s_a_ns: int
    r_a_ns: int
    s_a1_ns: int
    s_b1_ns: int
    s_b_ns: int
    r_b_ns: int
    lost: int
    skipped: int
    slip_ns: int
    self_inflicted: bool
    same_session: bool
    stamp_error_ns: int = -1


@dataclass(frozen=True, slots=True)
class Drop:
    """A session ended that the probe did not end."""

    t_ns: int
    vantage: str
    slot: int
    session: str
    cause: DropCause
    detail: str
    age_ns: int
    held_kernel: bool = False


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """The heartbeats of one slot around an outage: (sent_ns, received_ns or 0 if unanswered)."""

    t_ns: int
    vantage: str
    slot: int
    attempts: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """One second of one vantage, per who answered. `rtt_histogram` has counts per power of two of microseconds.

    Bucket k counts 2**(k-1) <= rtt_us < 2**k; bucket 0 is below 1 us. `late_ns` is the worst timer lateness.
    `syn_refused`: fresh SYNs that a reset came back to.
    """

    t_ns: int
    vantage: str
    site: str
    node: str
    nat_pool: str
    alive: int
    sent: int
    answered: int
    skipped: int
    late_ns: int
    rtt_p50_ns: int
    rtt_p99_ns: int
    rtt_histogram: tuple[int, ...]
    syn_sent: int = 0
    syn_answered: int = 0
    syn_refused: int = 0


@dataclass(frozen=True, slots=True)
class ProbeHealth:
    """One second of the probe itself: how far its figures can be believed.

    `late_*`: from when a heartbeat was due until it was sent (IRTT's timer error); `skipped`: heartbeats that were
    due and never sent (IRTT's missed sends); `ring_dropped`: packets that found the receive ring full; `refused`:
    packets that the kernel did not take; `backlog`: packets that wait for the slow path; `visits`: sessions on it;
    `ignored`: segments that RFC 9293 and RFC 5961 tell to ignore, by reason; `cpu_ns`: processor time of the agent;
    `lost`: heartbeats between two answered ones that were not, in outages and outside; `overtaken`: answers that came
    after that of a later heartbeat; `untold`: outages for which there was no room to be told one by one, and
    `untold_own`: gaps of the probe's own making, of which only some are.
    """

    t_ns: int
    vantage: str
    tick_ns: int
    late_p50_ns: int
    late_p99_ns: int
    late_max_ns: int
    skipped: int
    ring_dropped: int
    refused: int
    backlog: int
    visits: int
    cpu_ns: int
    ignored: tuple[tuple[str, int], ...]
    lost: int = 0
    overtaken: int = 0
    untold: int = 0
    untold_own: int = 0


@dataclass(frozen=True, slots=True)
class Note:
    """Something the operator should read: a warning, a refused packet, a recovered fault of our own."""

    t_ns: int
    source: str
    text: str


Record = (
    RunStarted
    | ExperimentPhase
    | FaultStep
    | RunEnded
    | ProbeStarted
    | ProbeStopped
    | Opened
    | Answer
    | CertificateSeen
    | PathTraced
    | NodesSeen
    | OutageBegan
    | OutageEnded
    | Drop
    | Heartbeats
    | CaptureGap
    | EvidenceWritten
    | Summary
    | ProbeHealth
    | ClockOffset
    | Note
)
