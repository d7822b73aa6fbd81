"""What a run was made of: the inventory and the experiments as they were, from its own record."""

from __future__ import annotations

from core.experiment import Experiment
from core.inventory import Inventory
from core.loader import parse_inventory, parse_past_experiments
from core.records import RunStarted
from store.runs import RunDirectory


def what_was_run(run: RunDirectory, started: RunStarted) -> tuple[Inventory, tuple[Experiment, ...]]:
    """Return the inventory and the experiments of a run as they were. Raises ConfigError."""
    inventory = parse_inventory(started.inventory, f"{run.run}/inventory")
    texts = [(f"{run.run}/experiment-{number}", text) for number, text in enumerate(started.experiments, 1)]
    return inventory, parse_past_experiments(texts, inventory)
