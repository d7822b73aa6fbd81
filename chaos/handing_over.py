"""A unit of a pair that is told to give up its role: told once, and waited for, since it answers before it does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from chaos.transport import Reply, Target

DONE_WITHIN_S = 8.0
"""So long is a unit waited for."""
Look = Callable[[], tuple[bool | None, str]]
"""Is it standby (None: it cannot be told), and what was seen."""


def hand_over(target: Target, order: Sequence[str], named: Sequence[str], is_standby: Look, poll_s: float) -> Reply:
    """Give `order`, unless the unit is standby already, and wait until it is; `named` is what the order is called."""
    out, seen = is_standby()
    if out is not False:
        return Reply(tuple(named), 0 if out else -1, "", seen)
    reply = target.do(order)
    until_s = time.monotonic() + DONE_WITHIN_S
    # A unit that was told has answered something; in a dry run there is nothing to wait for.
    while reply.code == 0 and reply.out and time.monotonic() < until_s and not is_standby()[0]:
        time.sleep(poll_s)
    return reply
