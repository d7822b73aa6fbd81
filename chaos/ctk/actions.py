"""The actions: what Chaos Toolkit lists and calls. Their arguments are as a file says them, and checked here.

Annotations are real types, for `chaos discover` reads them.
"""

from pathlib import Path
from typing import Any, Dict, List  # noqa: UP035  the names that `chaos discover` knows

from chaos import switch
from chaos.ctk import commands, faults
from chaos.ctk.activity import ActivityError, activity
from chaos.ctk.asked import asked
from chaos.ctk.sites import answering_sites
from core.loader import load_inventory

__all__ = ["inject_fault", "revert_fault", "run_experiments", "stop"]


@activity
def inject_fault(
    inventory: str,
    driver: str,
    target: str,
    arguments: Dict[str, Any],  # noqa: UP006
    takes: List[str],  # noqa: UP006
    lease_s: float,
    name: str,
) -> Dict[str, Any]:  # noqa: UP006
    """Inject a fault under a lease of the guard, and prove that it is out.

    All but `inventory` (a file) are what one fault of an experiment file says; `takes` may be [] and not left out.
    The fault is reverted by `revert_fault`, after `lease_s` seconds, or when this process ends, whichever is first.

    Fails, with nothing out, when the guard refuses it or it is not proven; the code is in brackets.
    """
    path = Path(inventory)
    network = load_inventory(path)
    experiment = asked(network, name, driver, target, arguments, takes, lease_s)
    return faults.inject(experiment, network, answering_sites(path, network))


@activity
def revert_fault(name: str) -> Dict[str, Any]:  # noqa: UP006
    """Revert the fault that this process injected as `name`, and prove that it is gone.

    Where it was never injected, or this has been called before, nothing is done. Fails when it is not proven
    reverted, and when the lease was over before.
    """
    return faults.revert(name)


@activity
def stop(reason: str) -> str:
    """Kill switch: revert everything that is out on this machine, and block new faults until `vipchaos resume`."""
    try:
        left = switch.stop(reason, lambda _: None)
    except switch.SwitchError as error:
        raise ActivityError(f"{error} [revert_failed]") from error
    if left:
        raise ActivityError(f"not proven reverted, the guard goes on: {', '.join(left)} [revert_failed]")
    return "nothing is out; new faults are blocked until `vipchaos resume`"


@activity
def run_experiments(inventory: str, experiments: List[str]) -> Dict[str, Any]:  # noqa: UP006
    """Do what `vipchaos run` does with these files; return the outcome document. Fails when it has not PASSED."""
    return commands.run(Path(inventory), [Path(each) for each in experiments])
