"""The plan of a run as one document: targets, commands of every fault, timeline, and a hash over all of it.

Nothing is asked and nothing touched: the drivers tell their commands from the arguments alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence

from chaos.drivers import DRIVERS
from core.errors import BlockedError, CallError
from core.experiment import Experiment, Fault
from core.inventory import Host, Inventory
from core.plan import begins_s, longest_s, timeline

FORMAT = 1
"""Of the document that is hashed: another format is another plan."""
SHORTEST_HASH = 12


def planned(inventory: Inventory, experiments: Sequence[Experiment]) -> dict[str, object]:
    """Return the plan as a JSON-ready document; `hash` is `plan_hash`. Every key is in docs/trials.md."""
    return {
        "format": FORMAT,
        "hash": plan_hash(inventory, experiments),
        "longest_s": longest_s(experiments),
        "experiments": _experiments(inventory, experiments),
    }


def plan_hash(inventory: Inventory, experiments: Sequence[Experiment]) -> str:
    """Return the SHA-256, as 64 hexadecimal digits, of all that the files say and the tool makes of it.

    Comments, the order of keys and the files' names are not part of it.
    """
    whole = {
        "format": FORMAT,
        "inventory": dataclasses.asdict(inventory),
        "experiments": [dataclasses.asdict(experiment) | {"source": ""} for experiment in experiments],
        "plan": _experiments(inventory, experiments),
    }
    canonical = json.dumps(whole, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(canonical.encode()).hexdigest()


def check_plan(inventory: Inventory, experiments: Sequence[Experiment], wanted: str) -> str:
    """Return the plan's hash; refuse one that is not `wanted`, of which the first digits are enough ('': any).

    Raises BlockedError whose reason is `plan_changed`, and CallError for what is no hash.
    """
    now = plan_hash(inventory, experiments)
    given = wanted.lower()
    if not given:
        return now
    if len(given) < SHORTEST_HASH or set(given) - set("0123456789abcdef"):
        raise CallError(f"--plan {wanted}: not a hash of `vipchaos plan`: at least {SHORTEST_HASH} hexadecimal digits")
    if not now.startswith(given):
        raise BlockedError(
            f"plan_changed: the plan is {now} now, not {wanted}: inventory, experiments or what the drivers do have "
            "changed; read `vipchaos plan` again"
        )
    return now


def _plain(value: object) -> object:
    """Return what JSON has no word for: sets in order, addresses and networks as text."""
    return sorted(map(str, value)) if isinstance(value, frozenset) else str(value)


def _experiments(inventory: Inventory, experiments: Sequence[Experiment]) -> list[dict[str, object]]:
    steps = timeline(experiments)
    return [
        {
            "name": experiment.name,
            "title": experiment.title,
            "reverts": experiment.reverts,
            "together": experiment.together,
            "gate": dict(experiment.steady_state.answered_by),
            "gate_for_s": experiment.steady_state.for_s,
            "gate_timeout_s": experiment.steady_state.timeout_s,
            "begins_s": begin_s,
            "hold_s": experiment.hold_s,
            "lease_s": experiment.lease_s,
            "settle_s": experiment.settle_s,
            "faults": [_fault(fault, inventory.hosts[fault.target]) for fault in experiment.faults],
            "timeline": [
                {"at_s": step.at_s, "step": step.kind.value, "fault": step.fault}
                for step in steps
                if step.experiment == experiment.name
            ],
        }
        for experiment, begin_s in zip(experiments, begins_s(experiments), strict=True)
    ]


def _fault(fault: Fault, host: Host) -> dict[str, object]:
    commands = DRIVERS[fault.driver].commands(fault.arguments)
    return {
        "name": fault.name,
        "driver": fault.driver,
        "target": {key: said for key, said in dataclasses.asdict(host).items() if said},
        "arguments": {name: list(it) if isinstance(it, tuple) else it for name, it in fault.arguments.items()},
        "at_s": fault.at_s,
        "hold_s": fault.hold_s,
        "takes": list(fault.takes),
        "commands": {step: [list(argv) for argv in argvs] for step, argvs in dataclasses.asdict(commands).items()},
    }
