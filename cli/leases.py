"""The commands `leases`, `stop` and `resume`: what is out, and the kill switch."""

from __future__ import annotations

import json
import sys
import time

import click

from core.records import FaultPhase, FaultStep

REVERT_FAILED = 7
SHOWN = frozenset({FaultPhase.REVERT_PROVEN, FaultPhase.REVERT_FAILED})


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def leases(as_json: bool) -> None:
    """List the faults that are out on this machine, and when each is reverted at the latest.

    \b
    Example:
      vipchaos leases --json
    """
    from chaos import lease, switch

    out = [each for _, each in lease.read_all()]
    found = [each for each in out if not isinstance(each, lease.LeaseError)]
    damaged = [str(each) for each in out if isinstance(each, lease.LeaseError)]
    left_s = [max(0.0, (item.deadline_ns - time.monotonic_ns()) / 1e9) for item in found]
    blocked = switch.reason()
    if as_json:
        rows = [
            {
                "lease": item.lease,
                "run": item.run,
                "experiment": item.experiment,
                "faults": [fault.name for fault in item.faults],
                "left_s": round(seconds, 1),
            }
            for item, seconds in zip(found, left_s, strict=True)
        ]
        click.echo(json.dumps({"leases": rows, "damaged": damaged, "stopped": blocked or None}, indent=2))
        sys.exit(REVERT_FAILED if damaged else 0)
    for item, seconds in zip(found, left_s, strict=True):
        faults = ", ".join(fault.name for fault in item.faults)
        click.echo(f"{item.lease:<32} {seconds:6.1f} s left  {faults}  (run {item.run})")
    for words in damaged:
        click.echo(words, err=True)
    if not found and not damaged:
        click.echo("nothing is out", err=True)
    if blocked:
        click.echo(f"new faults are blocked: {blocked}; `vipchaos resume` allows them", err=True)
    sys.exit(REVERT_FAILED if damaged else 0)


@click.command()
@click.option("--reason", required=True, help="Why; shown to who tries to start a run.")
def stop(reason: str) -> None:
    """Revert every fault that is out on this machine, at once, and block new ones until `vipchaos resume`.

    Needs no controller and no guard. Twice without harm. Exit code 7 when a revert is not proven; the guard goes on.

    \b
    Example:
      vipchaos stop --reason "real outage in dc2"
    """
    from chaos import switch

    def tell(step: FaultStep) -> None:
        if step.phase in SHOWN:
            click.echo(f"{step.experiment}: {step.fault} {step.phase.replace('_', ' ')}  {step.detail}", err=True)

    left = switch.stop(reason, tell)
    click.echo(f"not proven reverted: {', '.join(left)}" if left else "nothing is out; new faults are blocked")
    sys.exit(REVERT_FAILED if left else 0)


@click.command()
def resume() -> None:
    """Allow new faults again after `vipchaos stop`.

    \b
    Example:
      vipchaos resume
    """
    from chaos import switch

    click.echo("new faults are allowed again" if switch.resume() else "new faults were not blocked")
