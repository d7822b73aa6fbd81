"""One fault that is asked for by itself: read by the reader of experiment files, and refused as there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from chaos.drivers import DECLARED
from core.errors import ConfigError
from core.experiment import Experiment, SteadyState
from core.fault_reader import read_faults
from core.inventory import Inventory
from core.reader import Reader
from core.shapes import EXPERIMENT
from core.yaml_nodes import Problems, parse

SOURCE = "inject_fault"


def asked(
    inventory: Inventory,
    name: str,
    driver: str,
    target: str,
    arguments: Mapping[str, object],
    takes: Sequence[str],
    lease_s: float,
) -> Experiment:
    """Return the experiment that has this fault alone, called after it. Raises ConfigError with every problem."""
    fault = {"name": name, "driver": driver, "target": target, "arguments": arguments, "takes": takes}
    try:
        # JSON is YAML; what comes from the other tool's file is looked at as if it stood in one of ours.
        text = json.dumps({"lease_s": lease_s, "faults": [fault]}, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{SOURCE}: arguments: {error}, allowed: what JSON can say") from error
    problems = Problems(SOURCE)
    root = parse(text, problems)
    if root is not None:
        reader = Reader(root, "", problems)
        reader.number("lease_s", *EXPERIMENT["lease_s"].range)
        faults = read_faults(reader, inventory, DECLARED, None)
    problems.raise_if_any()
    steady = SteadyState({}, 0.0, 0.0)
    return Experiment(name, name, steady, faults, None, lease_s, lease_s, 0.0, (), (), SOURCE)
