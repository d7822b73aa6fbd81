"""Which of several controllers leads, as one decision over the value that all of them see in the bus's bucket.

Who leads writes it anew every `BEAT_NS`; each write names the revision that it replaces, so of two only one succeeds.
Who sees one revision for `HOLD_NS` on its own clock may take over: no clock is compared with another's. Who leads holds
itself for led no more a while before that. What slips through all the same is stopped at the guards, which take no
order of an earlier term (`core.orders`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

BEAT_NS = 1_000_000_000
HOLD_NS = 6_000_000_000
MARGIN_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Lead:
    """Who leads: `controller` ('': nobody), in which process, in which `term`; its run, and the guards of that."""

    controller: str
    process: str
    term: int
    run: str = ""
    guards: tuple[str, ...] = ()
    beat: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What is in the bucket, of which revision (0: nothing), and since when that is seen, on the monotonic clock."""

    lead: Lead | None
    revision: int
    since_ns: int


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be written in place of the revision seen, or why nothing is. `left`: a run that nobody looks after."""

    write: Lead | None = None
    wait: str = ""
    left: Lead | None = None


def seen(before: Seen, lead: Lead | None, revision: int, now_ns: int) -> Seen:
    """Return what is seen after another look."""
    same = revision == before.revision and before.since_ns != 0
    return Seen(lead, revision, before.since_ns if same else now_ns)


def step(controller: str, process: str, found: Seen, now_ns: int, wall_ns: int) -> Step:
    """Return what a controller does about the lead that it sees.

    A term is the second in which it began (wall clock), or the one after the last: so terms grow, even where the
    bucket was lost.
    """
    lead = found.lead
    if lead is None:
        return Step(Lead(controller, process, wall_ns // 10**9))
    if (lead.controller, lead.process) == (controller, process):
        return Step(replace(lead, beat=lead.beat + 1))
    mine = Lead(controller, process, max(lead.term + 1, wall_ns // 10**9), lead.run, lead.guards)
    if not lead.controller:
        return Step(mine, left=lead if lead.run else None)
    silent_s = (now_ns - found.since_ns) / 1e9
    if silent_s < HOLD_NS / 1e9:
        doing = f", with run {lead.run}" if lead.run else ""
        return Step(wait=f"controller {lead.controller} leads{doing}")
    return Step(mine, left=lead if lead.run else None)


def leads(confirmed_ns: int, now_ns: int) -> bool:
    """Whether a controller may still hold itself for leading; `confirmed_ns`: before its last write that succeeded."""
    return now_ns - confirmed_ns < HOLD_NS - MARGIN_NS


def to_data(lead: Lead) -> bytes:
    """Return the value of the bucket."""
    return json.dumps(asdict(lead)).encode()


def from_data(data: bytes | None) -> Lead | None:
    """Return what a value says; None of a key that is not there. Raises ValueError when it says something else."""
    if data is None:
        return None
    try:
        body = json.loads(data)
        return Lead(**(body | {"guards": tuple(body["guards"])}))
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"this is no lead: {error}") from error
