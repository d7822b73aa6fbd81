"""One session slot as it stands, and how each record moves it; the history of its vantage is told of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.outage import ends
from core.records import Answer, Drop, KnownBy, Opened, OutageBegan, OutageEnded
from tui.model.history import History, What
from tui.model.places import NOWHERE, Place

AT_ONCE_PERIODS = 3
"""A session that is opened again within so many periods of its drop leaves no gap (as three losses make an outage)."""


@dataclass(frozen=True, slots=True)
class Session:
    """One slot. `silent_since_ns` is 0 while it is answered; `down`: its session ended and no other is open yet.

    `counted` is the last span of silence that the history has; `heard_ns` when the slot's state changed last.
    `last_sent_ns`: the heartbeat after which the outage began that goes on; None where none was told.
    """

    vantage: str
    slot: int
    session: str = ""
    source: str = ""
    opened_ns: int = 0
    rtt_ns: int = 0
    restarts: int = 0
    place: Place = NOWHERE
    known_by: KnownBy = KnownBy.UNKNOWN
    server: str = ""
    down: bool = True
    silent_since_ns: int = 0
    last_sent_ns: int | None = None
    counted: tuple[int, int] = (0, 0)
    drops: int = 0
    last_cause: str = ""
    last_drop_ns: int = 0
    heard_ns: int = 0

    @property
    def state(self) -> str:
        """Return answered, silent or down."""
        return "down" if self.down else "silent" if self.silent_since_ns else "answered"


def opened(session: Session, record: Opened, period_ns: int, history: History) -> Session:
    """Return the slot with a new session in it."""
    if not session.session:
        history.add(What.SLOT, record.t_ns)
    elif record.restart:
        history.add(What.OPENED_AGAIN, record.t_ns)
    if session.down and session.silent_since_ns:
        if record.t_ns - session.silent_since_ns < AT_ONCE_PERIODS * period_ns:
            history.add(What.SILENT_FROM, session.silent_since_ns, -1)
            session = replace(session, silent_since_ns=0)
        else:
            session = answered_again(session, session.silent_since_ns, record.t_ns, history)
    return replace(
        session,
        session=record.session,
        source=f"{record.source}:{record.source_port}",
        opened_ns=record.t_ns,
        rtt_ns=record.rtt_ns,
        restarts=max(record.restart, session.restarts),
        down=False,
        heard_ns=record.t_ns,
    )


def answer(session: Session, record: Answer, history: History) -> Session:
    """Return the slot answered from where the record says."""
    place = Place(record.site, record.node, record.nat_pool)
    if place != session.place:
        _leave(session, record.t_ns, history)
        if place.known:
            history.add(What.CAME, record.t_ns, 1, place)
    return replace(
        session, place=place, known_by=record.node_known_by, server=record.server, down=False, heard_ns=record.t_ns
    )


def _leave(session: Session, t_ns: int, history: History) -> None:
    if session.place.known:
        history.add(What.WENT, t_ns, 1, session.place)


def dropped(session: Session, record: Drop, history: History) -> Session:
    """Return the slot without a session."""
    _leave(session, record.t_ns, history)
    history.add(What.DROPPED, record.t_ns)
    since_ns = session.silent_since_ns
    if not since_ns:
        since_ns = record.t_ns
        history.add(What.SILENT_FROM, since_ns)
    return replace(
        session,
        place=NOWHERE,
        server="",
        down=True,
        silent_since_ns=since_ns,
        drops=session.drops + 1,
        last_cause=record.cause,
        last_drop_ns=record.t_ns,
        heard_ns=record.t_ns,
    )


def fell_silent(session: Session, record: OutageBegan, period_ns: int, history: History) -> Session:
    """Return the slot silent since its first unanswered heartbeat; earlier than its drop, where it was dropped."""
    since_ns = max(min(record.last_sent_ns + period_ns, record.t_ns), session.counted[1])
    if session.silent_since_ns:
        if session.silent_since_ns <= since_ns:
            return replace(session, last_sent_ns=record.last_sent_ns)
        history.add(What.SILENT_FROM, session.silent_since_ns, -1)
    history.add(What.SILENT_FROM, since_ns)
    return replace(session, silent_since_ns=since_ns, last_sent_ns=record.last_sent_ns, heard_ns=record.t_ns)


def outage_ended(session: Session, record: OutageEnded, history: History) -> Session:
    """Return the slot answered again; the history gets the true span. What the probe did itself is no silence.

    The end of an outage before the one that goes on, told late, adds its span and ends nothing.
    """
    since_ns = session.silent_since_ns
    goes_on = bool(since_ns) and (record.s_b_ns <= since_ns or not ends(record, session.last_sent_ns))
    if record.self_inflicted:
        history.add(What.LATE_FROM, record.s_a_ns)
        history.add(What.LATE_TO, record.s_b_ns)
        if since_ns and not session.down and not goes_on:
            history.add(What.SILENT_FROM, since_ns, -1)
            session = replace(session, silent_since_ns=0, last_sent_ns=None)
        return session
    if goes_on:
        return _counted(session, record.s_a1_ns, min(record.s_b_ns, since_ns), history)
    return replace(answered_again(session, record.s_a1_ns, record.s_b_ns, history), heard_ns=record.t_ns)


def answered_again(session: Session, from_ns: int, until_ns: int, history: History) -> Session:
    """End a silence that lasted from one instant until another, whatever was noted of it before."""
    if session.silent_since_ns:
        history.add(What.SILENT_FROM, session.silent_since_ns, -1)
        from_ns = min(from_ns, session.silent_since_ns) if session.silent_since_ns >= session.counted[1] else from_ns
    return replace(_counted(session, from_ns, until_ns, history), silent_since_ns=0, last_sent_ns=None)


def _counted(session: Session, from_ns: int, until_ns: int, history: History) -> Session:
    """Tell the history of a silence that is over, but for what it has of it already."""
    begin_ns, end_ns = session.counted
    for low_ns, high_ns in ((from_ns, min(until_ns, begin_ns)), (max(from_ns, end_ns), until_ns)):
        if low_ns < high_ns and (high_ns <= begin_ns or low_ns >= end_ns):
            history.add(What.SILENT_FROM, low_ns)
            history.add(What.SILENT_TO, high_ns)
    return replace(session, counted=(from_ns, max(until_ns, end_ns)))


def closed(session: Session, t_ns: int, history: History) -> None:
    """Take a slot out of the history: its agent has ended."""
    _leave(session, t_ns, history)
    if session.silent_since_ns:
        history.add(What.SILENT_TO, t_ns)
    history.add(What.SLOT, t_ns, -1)
