"""What the report page shows, as plain values: every figure is here, and nothing of how it is drawn.

Instants are seconds since the run began (`*_at_s`) or since an event (`*_after_s`), durations seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

NO_ANSWER = "no answer"
"""Sessions that are silent or being opened again."""
NO_TELEMETRY = "no telemetry"
"""A time of which the vantage has told nothing."""


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who answers: its label, and its place among the sites (hue) and among its site's nodes (pattern)."""

    label: str
    site: str
    hue: int
    pattern: int


@dataclass(frozen=True, slots=True)
class Span:
    """Sessions by who answers them, the same from one instant to another; `parts` are (label, share of all)."""

    from_s: float
    until_s: float
    parts: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """The outage of the slot that was hit worst: surely silent in the inner interval, at most in the outer one."""

    from_s: float
    sure_from_s: float
    sure_until_s: float
    until_s: float
    lower_s: float
    upper_s: float
    slots: int


@dataclass(frozen=True, slots=True)
class Lane:
    """One vantage over time."""

    vantage: str
    spans: tuple[Span, ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Marker:
    """A fault is out: from its injection until it is reverted (None: never seen). `number` is that of its event."""

    number: int
    label: str
    from_s: float
    until_s: float | None


@dataclass(frozen=True, slots=True)
class Lanes:
    """All vantages over one stretch of time."""

    from_s: float
    until_s: float
    lanes: tuple[Lane, ...]
    markers: tuple[Marker, ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """One clock's interval at one vantage; `limit_s` is what an expectation allows, or None."""

    vantage: str
    clock: str
    lower_s: float
    upper_s: float
    limit_s: float | None
    open_end: bool = False


@dataclass(frozen=True, slots=True)
class Curve:
    """Survival of the sessions of one vantage: (seconds after the event, share alive)."""

    vantage: str
    steps: tuple[tuple[float, float], ...]
    alive: int
    survived: int


@dataclass(frozen=True, slots=True)
class Drops:
    """Sessions of one vantage that an event dropped, by cause."""

    vantage: str
    alive: int
    survived: int
    by_cause: tuple[tuple[str, int], ...]
    reopened: int
    kernel: int


@dataclass(frozen=True, slots=True)
class Path:
    """One path: hops in order, each as (address, name or ''), and how many sessions took it."""

    hops: tuple[tuple[str, str], ...]
    sessions: int


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths of one vantage's sessions before and after an event; `changed`: whether they differ."""

    vantage: str
    before: tuple[Path, ...]
    after: tuple[Path, ...]
    changed: bool


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """Median round trip of one vantage before and after an event, in ms; None where nothing was measured."""

    vantage: str
    before_ms: float | None
    after_ms: float | None

    @property
    def shift_ms(self) -> float | None:
        """By how much it grew."""
        return None if self.before_ms is None or self.after_ms is None else self.after_ms - self.before_ms


@dataclass(frozen=True, slots=True)
class Held:
    """One expectation: in words, its verdict (held, broken, unknown) and what it rests on."""

    vantages: str
    expected: str
    verdict: str
    evidence: str


@dataclass(frozen=True, slots=True)
class EventView:
    """One failover or failback."""

    number: int
    experiment: str
    title: str
    kind: str
    story: str
    at_s: float
    lanes: Lanes
    clocks: tuple[Bound, ...]
    curves: tuple[Curve, ...]
    drops: tuple[Drops, ...]
    paths: tuple[Paths, ...]
    round_trips: tuple[RoundTrip, ...]
    held: tuple[Held, ...]
    seen_as: tuple[tuple[str, str], ...]
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RttLine:
    """Round trips of one vantage over time: (at_s, median ms, 99th percentile ms)."""

    vantage: str
    points: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Rail:
    """One limit that guarded the run, and how near it came; `verdict`: kept, exceeded or not known."""

    experiment: str
    rail: str
    limit: str
    reached: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the timeline; `kind` is what it is about, for its mark."""

    at_s: float
    wall: str
    where: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """One file of packets."""

    at_s: float
    vantage: str
    path: str
    events: str
    sessions: int
    packets: int
    bytes: int
    left_out: int


@dataclass(frozen=True, slots=True)
class View:
    """The whole page."""

    run: str
    outcome: str
    reason: str
    expected: str
    happened: str
    started: str
    lasted_s: float
    version: str
    vip: str
    sessions: int
    who: tuple[Who, ...]
    overview: Lanes
    events: tuple[EventView, ...]
    other_held: tuple[Held, ...]
    rtt: tuple[RttLine, ...]
    rails: tuple[Rail, ...]
    notes: tuple[str, ...]
    outside: tuple[str, ...]
    captures: str
    timeline: tuple[Row, ...]
    timeline_left_out: int
    evidence: tuple[EvidenceFile, ...]
    inventory: str
    experiments: tuple[str, ...]
