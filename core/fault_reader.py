"""Reads and checks the faults of one experiment: targets, arguments, offsets, and what each takes out of service."""

from __future__ import annotations

from collections.abc import Sequence

from core.argument_reader import Value, read_arguments
from core.drivers import Drivers
from core.experiment import Fault
from core.inventory import Inventory
from core.reader import Reader
from core.shapes import FAULT


def read_faults(
    reader: Reader, inventory: Inventory, drivers: Drivers | None, hold_s: float | None
) -> tuple[Fault, ...]:
    """Return the faults of the experiment, which holds for `hold_s`; what is wrong is among the problems.

    `drivers` None: it has been run, so what its faults ask for is not looked at, and they need not say what they take.
    """
    faults: list[Fault] = []
    sections = reader.sections("faults", "a list of faults, or reverts instead")
    for section in sections:
        section.only(*FAULT)
        name = section.name("name")
        if name is not None and name in (fault.name for fault in faults):
            section.problem(section.line_of("name"), "name", f"{name} is the name of another fault", "each name once")
        target = _target(section, inventory)
        driver, arguments = _driver(section, inventory, drivers, target)
        at_s = section.number("at_s", *FAULT["at_s"].range, 0.0)
        own_s = section.number("hold_s", *FAULT["hold_s"].range) if section.has("hold_s") else None
        takes = _takes(section, inventory, target, drivers is None)
        if name and driver and target and at_s is not None:
            faults.append(Fault(name, driver, target, arguments, at_s, own_s, takes))
    if hold_s is not None and len(faults) == len(sections):
        _check_holds(sections, faults, hold_s)
    return tuple(faults)


def _target(section: Reader, inventory: Inventory) -> str | None:
    target = section.choice("target", inventory.hosts, "host of the inventory")
    if target is not None and target not in inventory.allowed_targets:
        section.problem(
            section.line_of("target"),
            "target",
            f"{target} may not be touched",
            f"allowed_targets of the inventory: {', '.join(sorted(inventory.allowed_targets)) or 'none'}",
        )
    return target


def _driver(
    section: Reader, inventory: Inventory, drivers: Drivers | None, target: str | None
) -> tuple[str | None, dict[str, Value]]:
    """Return the driver and its arguments."""
    if drivers is None:
        return section.name("driver"), {}
    driver = section.choice("driver", drivers, "driver")
    if driver is None:
        return None, {}
    wanted, found = drivers[driver].transports, inventory.hosts[target].transport if target else None
    if found is not None and found not in wanted:
        section.problem(
            section.line_of("target"),
            "target",
            f"{target} is reached by {found}, which the driver {driver} does not speak",
            f"a host with transport {' or '.join(wanted)}",
        )
    return driver, read_arguments(section, drivers[driver].arguments)


def _takes(section: Reader, inventory: Inventory, target: str | None, past: bool) -> tuple[str, ...]:
    """Return the nodes and sites that the fault takes: those named, or the nodes whose host is the target."""
    nodes = {node.name: node for site in inventory.sites.values() for node in site.nodes}
    known = ", ".join([*sorted(nodes), *sorted(inventory.sites)])
    if not section.has("takes"):
        there = tuple(name for name, node in nodes.items() if node.host == target)
        if target is not None and not there and not past:
            section.problem(
                section.line,
                "takes",
                f"is missing, and {target} is no node's host",
                f"a list of nodes and sites that the fault takes out of service ({known}), or [] for none",
            )
        return there
    found = section.names("takes", "a list of nodes and sites, [] for none", least=0)
    for line, name in found:
        if name not in nodes and name not in inventory.sites:
            section.problem(line, "takes", f"{name} is no node and no site", known)
        elif name in nodes and name in inventory.sites:
            section.problem(line, "takes", f"{name} is both a node and a site", "names that differ, in the inventory")
    return tuple(name for _, name in found)


def _check_holds(sections: Sequence[Reader], faults: Sequence[Fault], hold_s: float) -> None:
    """Note each fault whose own hold ends after the experiment's."""
    end_s = max((fault.at_s for fault in faults), default=0.0) + hold_s
    for section, fault in zip(sections, faults, strict=True):
        if fault.hold_s is not None and fault.at_s + fault.hold_s > end_s:
            section.problem(
                section.line_of("hold_s"),
                "hold_s",
                f"is {fault.hold_s:g}, which ends after the experiment's hold",
                f"at most {end_s - fault.at_s:g}: the experiment's hold_s is over {end_s:g} s after its method began",
            )
