"""What is looked at before a lease is given, by the guard and by a dry run alike: the rails, and the prior states."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from chaos.driver import Term
from chaos.drivers import DRIVERS
from chaos.guard.way_back import cuts_its_revert
from chaos.transport import Target
from core.lease import Lease, LeasedFault
from core.lease_rules import Caps, Given, refusal, unsafe
from core.refusals import Refusal


def objection(
    asked: Lease, out: Sequence[Lease], caps: Caps, given: Iterable[Given], announcing: Mapping[str, str]
) -> Refusal | None:
    """Return why `asked` may not be given beside the leases `out`, or None; the rest as in `core.lease_rules`."""
    return (
        refusal(asked, out, caps, given, time.monotonic_ns(), time.time_ns())
        or unsafe(asked, out, announcing)
        or next(filter(None, map(cuts_its_revert, asked.faults)), None)
    )


def with_prior(asked: Lease, fault: LeasedFault, target: Target) -> LeasedFault | Refusal:
    """Return the fault with the prior state of its target, or why that cannot be put back."""
    term = Term(f"{asked.lease}.{fault.name}", asked.deadline_ns)
    prior = DRIVERS[fault.driver].prior(target, fault.arguments, term)
    if prior is None:
        words = f"{fault.name}: {fault.host.name} is already in the state of the fault, or its state is not known"
        return Refusal("foreign_state", words)
    return replace(fault, prior=prior)
