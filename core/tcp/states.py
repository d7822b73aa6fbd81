"""The states of a client's TCP connection and the one table that moves between them (RFC 9293 section 3.3.2).

Two rules: every change of state goes through `TRANSITIONS`, and a move that it does not list raises IllegalMove
and changes nothing. States of a server (LISTEN, SYN-RECEIVED) do not occur: a probe opens, it never listens.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType


class State(enum.Enum):
    """RFC 9293 section 3.3.2, without the states that only a server reaches."""

    CLOSED = "CLOSED"
    SYN_SENT = "SYN-SENT"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN-WAIT-1"
    FIN_WAIT_2 = "FIN-WAIT-2"
    CLOSING = "CLOSING"
    TIME_WAIT = "TIME-WAIT"
    CLOSE_WAIT = "CLOSE-WAIT"
    LAST_ACK = "LAST-ACK"


class Event(enum.Enum):
    """What can move a connection. Only acceptable segments become events (RFC 9293 section 3.10.7)."""

    OPEN = "open"
    CLOSE = "close"
    ABORT = "abort"
    TIMEOUT = "timeout"
    SYN_ACK = "SYN,ACK received"
    FIN = "FIN received"
    FIN_ACKED = "ACK of our FIN received"
    RST = "RST received"


class IllegalMove(Exception):
    """The table has no such move; the state is unchanged. A fault of the caller, never of the network."""


_SYNCHRONISED = (
    State.ESTABLISHED,
    State.FIN_WAIT_1,
    State.FIN_WAIT_2,
    State.CLOSING,
    State.TIME_WAIT,
    State.CLOSE_WAIT,
    State.LAST_ACK,
)
_ENDS = {
    (state, event): State.CLOSED
    for state in (State.SYN_SENT, *_SYNCHRONISED)
    for event in (Event.RST, Event.ABORT, Event.TIMEOUT)
}

TRANSITIONS: Mapping[tuple[State, Event], State] = MappingProxyType(
    {
        (State.CLOSED, Event.OPEN): State.SYN_SENT,  # 3.10.1
        (State.SYN_SENT, Event.SYN_ACK): State.ESTABLISHED,  # 3.10.7.3
        (State.SYN_SENT, Event.CLOSE): State.CLOSED,  # 3.10.4
        (State.ESTABLISHED, Event.CLOSE): State.FIN_WAIT_1,
        (State.ESTABLISHED, Event.FIN): State.CLOSE_WAIT,  # 3.10.7.4, eighth
        (State.FIN_WAIT_1, Event.FIN_ACKED): State.FIN_WAIT_2,  # 3.10.7.4, fifth
        (State.FIN_WAIT_1, Event.FIN): State.CLOSING,
        (State.FIN_WAIT_2, Event.FIN): State.TIME_WAIT,
        (State.CLOSING, Event.FIN_ACKED): State.TIME_WAIT,
        (State.CLOSE_WAIT, Event.CLOSE): State.LAST_ACK,
        (State.LAST_ACK, Event.FIN_ACKED): State.CLOSED,
        **_ENDS,
    }
)


def after(state: State, event: Event) -> State:
    """Return the state that `event` moves `state` to. Raises IllegalMove where the table has none."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalMove(f"{state.value}: {event.value}") from None


def as_markdown() -> str:
    """Return the table as docs/session-machine.md shows it: a row a state, a column an event."""
    head = ["state", *(event.value for event in Event)]
    rows = [[state.value, *(_cell(state, event) for event in Event)] for state in State]
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def _cell(state: State, event: Event) -> str:
    found = TRANSITIONS.get((state, event))
    return found.value if found else "-"
