"""Reads and checks one experiment against the inventory and the experiments before it in the list."""

from __future__ import annotations

from collections.abc import Sequence

from core.argument_reader import read_arguments
from core.drivers import DRIVERS
from core.experiment import Abort, Expectation, Experiment, Fault, Sessions, SteadyState
from core.inventory import Inventory
from core.reader import Reader
from core.yaml_nodes import Mapping, Problems

KEYS = (
    "name",
    "title",
    "steady_state",
    "faults",
    "reverts",
    "hold_s",
    "lease_s",
    "settle_s",
    "expectations",
    "abort",
    "slower_limit_s",
)
EXPECTATION_KEYS = (
    "vantages",
    "site",
    "node",
    "nat_pool",
    "sessions",
    "outage_upper_s",
    "new_connections_upper_s",
)
LONGEST_S = 3600
LEASE_MARGIN_S = 5


def read_experiment(
    root: Mapping, problems: Problems, inventory: Inventory, earlier: Sequence[Experiment]
) -> Experiment | None:
    """Return the experiment, or None with the reasons among the problems."""
    reader = Reader(root, "", problems)
    reader.only(*KEYS)
    name = reader.name("name")
    if name is not None and name in (experiment.name for experiment in earlier):
        reader.problem(reader.line_of("name"), "name", f"{name} is in the list already", "each experiment once")
    title = reader.text("title")
    steady = _steady(reader, inventory)
    reverts = _reverts(reader, earlier)
    faults = () if reader.has("reverts") else _faults(reader, inventory)
    hold_s = reader.number("hold_s", 1, LONGEST_S)
    settle_s = reader.number("settle_s", 1, LONGEST_S)
    lease_s = _lease(reader, hold_s)
    expectations = _expectations(reader, inventory)
    abort = _abort(reader, inventory)
    slower_limit_s = _bound(reader, "slower_limit_s")
    complete = name is not None and title is not None and steady is not None
    if problems or not complete or hold_s is None or settle_s is None or lease_s is None:
        return None
    assert name is not None
    assert title is not None
    assert steady is not None
    return Experiment(
        name,
        title,
        steady,
        faults,
        reverts,
        hold_s,
        lease_s,
        settle_s,
        expectations,
        abort,
        problems.source,
        slower_limit_s=slower_limit_s,
    )


def _lease(reader: Reader, hold_s: float | None) -> float | None:
    if reader.has("reverts"):
        if reader.has("lease_s"):
            reader.problem(reader.line_of("lease_s"), "lease_s", "has no meaning here", "the lease of the one reverted")
        return 0.0
    lease_s = reader.number("lease_s", 1, LONGEST_S)
    if lease_s is not None and hold_s is not None and lease_s < hold_s + LEASE_MARGIN_S:
        reader.problem(
            reader.line_of("lease_s"),
            "lease_s",
            f"is {lease_s:g}, too short for hold_s {hold_s:g}",
            f"at least hold_s + {LEASE_MARGIN_S}",
        )
    return lease_s


def _steady(reader: Reader, inventory: Inventory) -> SteadyState | None:
    section = reader.section("steady_state", "a mapping with answered_by, for_s and timeout_s")
    if section is None:
        return None
    section.only("answered_by", "for_s", "timeout_s")
    by = section.section("answered_by", "a mapping of vantage to site")
    answered: dict[str, str] = {}
    for vantage, line, site in by.texts() if by else ():
        if by is not None and vantage not in inventory.vantages:
            by.problem(line, vantage, "unknown vantage", ", ".join(sorted(inventory.vantages)))
        if by is not None and site is not None and site not in inventory.sites:
            by.problem(line, vantage, f"is {site}, an unknown site", ", ".join(sorted(inventory.sites)))
        answered[vantage] = site or ""
    for_s, timeout_s = section.number("for_s", 1, 600), section.number("timeout_s", 1, 600)
    return None if for_s is None or timeout_s is None else SteadyState(answered, for_s, timeout_s)


def _reverts(reader: Reader, earlier: Sequence[Experiment]) -> str | None:
    if not reader.has("reverts"):
        return None
    if reader.has("faults"):
        reader.problem(reader.line_of("faults"), "faults", "stands beside reverts", "either faults or reverts")
    candidates = [experiment.name for experiment in earlier if experiment.faults]
    return reader.choice("reverts", candidates, "earlier experiment with faults")


def _faults(reader: Reader, inventory: Inventory) -> tuple[Fault, ...]:
    faults: list[Fault] = []
    for section in reader.sections("faults", "a list of faults, or reverts instead"):
        section.only("name", "driver", "target", "arguments", "at_s")
        name = section.name("name")
        if name is not None and name in (fault.name for fault in faults):
            section.problem(section.line_of("name"), "name", f"{name} is the name of another fault", "each name once")
        driver = section.choice("driver", DRIVERS, "driver")
        target = section.choice("target", inventory.hosts, "host of the inventory")
        if target is not None and target not in inventory.allowed_targets:
            section.problem(
                section.line_of("target"),
                "target",
                f"{target} may not be touched",
                f"allowed_targets of the inventory: {', '.join(sorted(inventory.allowed_targets)) or 'none'}",
            )
        at_s = section.number("at_s", 0, LONGEST_S, 0.0)
        arguments = read_arguments(section, DRIVERS[driver]) if driver else {}
        if name and driver and target and at_s is not None:
            faults.append(Fault(name, driver, target, arguments, at_s))
    return tuple(faults)


def _vantages(section: Reader, inventory: Inventory) -> tuple[str, ...]:
    found = section.names("vantages", "a list of vantage names")
    for line, name in found:
        if name not in inventory.vantages:
            section.problem(line, "vantages", f"{name} is an unknown vantage", ", ".join(sorted(inventory.vantages)))
    return tuple(name for _, name in found)


def _expectations(reader: Reader, inventory: Inventory) -> tuple[Expectation, ...]:
    expectations: list[Expectation] = []
    pools = [site.nat_pool.name for site in inventory.sites.values()]
    nodes = [node.name for site in inventory.sites.values() for node in site.nodes]
    for section in reader.sections("expectations", "a list of expectations"):
        section.only(*EXPECTATION_KEYS)
        vantages = _vantages(section, inventory)
        taken = {vantage for expectation in expectations for vantage in expectation.vantages}
        for vantage in taken.intersection(vantages):
            section.problem(
                section.line_of("vantages"),
                "vantages",
                f"{vantage} is in an expectation above",
                "each vantage in one expectation",
            )
        if not any(section.has(key) for key in EXPECTATION_KEYS[1:]):
            section.problem(section.line, "", "expects nothing", ", ".join(EXPECTATION_KEYS[1:]))
        kind = section.choice("sessions", Sessions, "such word") if section.has("sessions") else None
        expectations.append(
            Expectation(
                vantages=vantages,
                site=section.choice("site", inventory.sites, "site") if section.has("site") else None,
                node=section.choice("node", nodes, "node") if section.has("node") else None,
                nat_pool=section.choice("nat_pool", pools, "NAT pool") if section.has("nat_pool") else None,
                sessions=Sessions(kind) if kind else None,
                outage_upper_s=_bound(section, "outage_upper_s"),
                new_connections_upper_s=_bound(section, "new_connections_upper_s"),
            )
        )
    return tuple(expectations)


def _bound(section: Reader, key: str) -> float | None:
    return section.number(key, 0.001, LONGEST_S) if section.has(key) else None


def _abort(reader: Reader, inventory: Inventory) -> tuple[Abort, ...]:
    conditions = []
    for section in reader.sections("abort", "a list of at least one abort condition"):
        section.only("vantages", "outage_s", "stale_s")
        vantages = _vantages(section, inventory)
        outage_s, stale_s = section.number("outage_s", 0.1, LONGEST_S), section.number("stale_s", 1, 600, 3.0)
        if outage_s is not None and stale_s is not None:
            conditions.append(Abort(vantages, outage_s, stale_s))
    return tuple(conditions)
