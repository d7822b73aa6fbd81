"""Reads and checks one experiment against the inventory and the experiments before it in the list."""

from __future__ import annotations

from collections.abc import Sequence

from core.drivers import Drivers
from core.experiment import Abort, Expectation, Experiment, Fault, Sessions, SteadyState
from core.fault_reader import read_faults
from core.inventory import Inventory
from core.plan import begins_s
from core.reader import Reader
from core.shapes import ABORT, EXPECTATION, EXPERIMENT, STEADY_STATE
from core.yaml_nodes import Mapping, Problems

LEASE_MARGIN_S = 5
STALE_S = 3.0


def read_experiment(
    root: Mapping,
    problems: Problems,
    inventory: Inventory,
    drivers: Drivers | None,
    earlier: Sequence[Experiment],
    whole: bool = True,
) -> Experiment | None:
    """Return the experiment, or None with the reasons among the problems.

    `earlier` are those before it in the list; not `whole` where some of them could not be read. `drivers`: those that
    there are; None: it has been run.
    """
    reader = Reader(root, "", problems)
    reader.only(*EXPERIMENT)
    name = reader.name("name")
    if name is not None and name in (experiment.name for experiment in earlier):
        reader.problem(reader.line_of("name"), "name", f"{name} is in the list already", "each experiment once")
    title = reader.text("title")
    steady = _steady(reader, inventory)
    reverts = _reverts(reader, earlier, whole)
    hold_s = reader.number("hold_s", *EXPERIMENT["hold_s"].range)
    faults = () if reader.has("reverts") else read_faults(reader, inventory, drivers, hold_s)
    settle_s = reader.number("settle_s", *EXPERIMENT["settle_s"].range)
    lease_s = _lease(reader, faults, hold_s)
    contact_s = _contact(reader, lease_s)
    flavours = reader.names("flavours", "a list of flavours of the lab") if reader.has("flavours") else []
    together = reader.flag("together") if reader.has("together") else False
    expectations = _expectations(reader, inventory)
    abort = _abort(reader, inventory)
    limit = EXPERIMENT["slower_limit_s"]
    slower_limit_s = reader.number("slower_limit_s", *limit.range) if reader.has("slower_limit_s") else None
    complete = name is not None and title is not None and steady is not None
    if problems or not complete or hold_s is None or settle_s is None or lease_s is None:
        return None
    assert name is not None
    assert title is not None
    assert steady is not None
    found = Experiment(
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
        bool(together),
        slower_limit_s,
        contact_s,
        tuple(sorted(name for _, name in flavours)),
    )
    if drivers is not None:
        _check_lease_lasts(reader, found, earlier)
    return None if problems else found


def _check_lease_lasts(reader: Reader, found: Experiment, earlier: Sequence[Experiment]) -> None:
    """Note a lease that is over before `found` can revert its faults."""
    reverted = next((experiment for experiment in earlier if experiment.name == found.reverts), None)
    if reverted is None:
        return
    begins = begins_s([*earlier, found])
    earliest_s = begins[-1] - begins[earlier.index(reverted)]
    if reverted.lease_s < earliest_s + LEASE_MARGIN_S:
        reader.problem(
            reader.line_of("reverts"),
            "reverts",
            f"the lease of {reverted.name} is {reverted.lease_s:g} s, and this cannot come before {earliest_s:g} s",
            f"a lease_s there of at least {earliest_s + LEASE_MARGIN_S:g}",
        )


def _lease(reader: Reader, faults: Sequence[Fault], hold_s: float | None) -> float | None:
    if reader.has("reverts"):
        if reader.has("lease_s"):
            reader.problem(reader.line_of("lease_s"), "lease_s", "has no meaning here", "the lease of the one reverted")
        return 0.0
    lease_s = reader.number("lease_s", *EXPERIMENT["lease_s"].range)
    last_s = max((fault.at_s for fault in faults), default=0.0)
    if lease_s is not None and hold_s is not None and lease_s < last_s + hold_s + LEASE_MARGIN_S:
        after = f" after at_s {last_s:g}" if last_s else ""
        reader.problem(
            reader.line_of("lease_s"),
            "lease_s",
            f"is {lease_s:g}, too short for hold_s {hold_s:g}{after}",
            f"at least {'at_s + ' if last_s else ''}hold_s + {LEASE_MARGIN_S}",
        )
    return lease_s


def _contact(reader: Reader, lease_s: float | None) -> float | None:
    if not reader.has("contact_s"):
        return None
    if reader.has("reverts"):
        reader.problem(reader.line_of("contact_s"), "contact_s", "has no meaning here", "that of the one reverted")
        return None
    contact_s = reader.number("contact_s", *EXPERIMENT["contact_s"].range)
    if contact_s is not None and lease_s is not None and contact_s >= lease_s:
        words = f"is {contact_s:g}, and the lease is over after {lease_s:g}"
        reader.problem(reader.line_of("contact_s"), "contact_s", words, "less than lease_s")
    return contact_s


def _steady(reader: Reader, inventory: Inventory) -> SteadyState | None:
    section = reader.section("steady_state", "a mapping with answered_by, for_s and timeout_s")
    if section is None:
        return None
    section.only(*STEADY_STATE)
    by = section.section("answered_by", "a mapping of vantage to site")
    answered: dict[str, str] = {}
    for vantage, line, site in by.texts() if by else ():
        if by is not None and vantage not in inventory.vantages:
            by.problem(line, vantage, "unknown vantage", ", ".join(sorted(inventory.vantages)))
        if by is not None and site is not None and site not in inventory.sites:
            by.problem(line, vantage, f"is {site}, an unknown site", ", ".join(sorted(inventory.sites)))
        answered[vantage] = site or ""
    for_s, timeout_s = (section.number(key, *STEADY_STATE[key].range) for key in ("for_s", "timeout_s"))
    return None if for_s is None or timeout_s is None else SteadyState(answered, for_s, timeout_s)


def _reverts(reader: Reader, earlier: Sequence[Experiment], whole: bool) -> str | None:
    if not reader.has("reverts"):
        return None
    if reader.has("faults"):
        reader.problem(reader.line_of("faults"), "faults", "stands beside reverts", "either faults or reverts")
    if not whole:
        return reader.name("reverts")  # it may be one that could not be read
    candidates = [experiment.name for experiment in earlier if experiment.faults]
    name = reader.choice("reverts", candidates, "earlier experiment with faults")
    reverted = next((experiment for experiment in earlier if experiment.name == name), None)
    line = reader.line_of("reverts")
    again = next((experiment.name for experiment in earlier if name and experiment.reverts == name), None)
    if again is not None:
        reader.problem(line, "reverts", f"{name} is reverted by {again} already", "each experiment reverted once")
    if reverted is not None and all(fault.hold_s is not None for fault in reverted.faults):
        reader.problem(line, "reverts", f"nothing of {name} is out at its end", "a fault there without its own hold_s")
    return name


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
        section.only(*EXPECTATION)
        vantages = _vantages(section, inventory)
        taken = {vantage for expectation in expectations for vantage in expectation.vantages}
        for vantage in taken.intersection(vantages):
            section.problem(
                section.line_of("vantages"),
                "vantages",
                f"{vantage} is in an expectation above",
                "each vantage in one expectation",
            )
        expected = [key for key in EXPECTATION if key != "vantages"]
        if not any(section.has(key) for key in expected):
            section.problem(section.line, "", "expects nothing", ", ".join(expected))
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
                seen_as=_seen_as(section),
            )
        )
    return tuple(expectations)


def _seen_as(section: Reader) -> tuple[str, ...]:
    if not section.has("seen_as"):
        return ()
    choices = EXPECTATION["seen_as"].choices
    found = section.names("seen_as", "a list of what it may be seen as")
    for line, name in found:
        if name not in choices:
            section.problem(line, "seen_as", f"is {name}, no such change", f"one of {'; '.join(choices)}")
    return tuple(name for _, name in found)


def _bound(section: Reader, key: str) -> float | None:
    return section.number(key, *EXPECTATION[key].range) if section.has(key) else None


def _abort(reader: Reader, inventory: Inventory) -> tuple[Abort, ...]:
    conditions = []
    for section in reader.sections("abort", "a list of at least one abort condition"):
        section.only(*ABORT)
        vantages = _vantages(section, inventory)
        outage_s = section.number("outage_s", *ABORT["outage_s"].range)
        stale_s = section.number("stale_s", *ABORT["stale_s"].range, STALE_S)
        if outage_s is not None and stale_s is not None:
            conditions.append(Abort(vantages, outage_s, stale_s))
    return tuple(conditions)
