"""The lab's flavours: what each changes of the plan, what it is for, and which go together."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.errors import CallError
from lab.topology import RUN, VIP, Plan, SitePlan, Vip

DC3 = SitePlan("dc3", "r3", "sw3", ("ace5", "ace6"), "s3", "10.3.1", "10.3.2", "172.16.3", "10.3.100.0/28")
VIP2 = Vip("vip2", "203.0.113.11", "rhi2")
FAST_BFD_MS = 50


@dataclass(frozen=True, slots=True)
class Flavour:
    """One way in which a lab may differ from that of the demo."""

    name: str
    says: str
    settles: str
    """The question that it answers; two that answer the same one do not go together."""
    change: Callable[[Plan], Plan]
    needs: tuple[str, Callable[[Plan], bool]] | None = None
    """What the rest of the plan must be: in words, and as a test of the plan."""
    tools: Mapping[str, str] = field(default_factory=dict)
    """Programs that it needs besides, and the Debian package of each."""
    root: bool = False
    """Whether it works for root only."""


def _third_site(plan: Plan) -> Plan:
    # As between the first two: dearer than an access router's direct backup, cheaper than the way round it.
    links = (
        ("a3", "r3", 10),
        ("a3", "r1", 100),
        ("a1", "r3", 101),
        ("a2", "r3", 101),
        ("r1", "r3", 105),
        ("r2", "r3", 106),
    )
    return replace(
        plan,
        sites=(*plan.sites, DC3),
        clients={**plan.clients, "c5": ("a3", "10.30.1"), "c6": ("a3", "10.30.2")},
        access=(*plan.access, "a3"),
        backbone=(*plan.backbone, *links),
    )


def _equal_metrics(plan: Plan, hash_ports: bool) -> Plan:
    backbone = tuple((one, other, 10 if one in plan.access else cost) for one, other, cost in plan.backbone)
    return replace(plan, backbone=backbone, ecmp=True, hash_ports=hash_ports)


_PAGE = """# The lab and its flavours

`vipchaos lab up` brings up the network of the [README](../README.md#the-network-of-the-demo), of real daemons.
`--flavour` makes it another one: the same names and addresses, and one thing done in another way.

    vipchaos lab up --name bgp --flavour rhi-bgp,no-replication
    vipchaos lab status --name bgp --json
    vipchaos lab down --name bgp

`lab up` tells where it wrote the inventory that fits: `vipchaos demo --lab bgp --inventory FILE EXPERIMENT`. `vipchaos
lab inventory --flavour NAMES` prints it without a lab; `--vip vip2` is about the second VIP. The lab is up when its own
health check finds nothing missing, which depends on the flavour: with equal metrics, any of the near sites may answer.

Flavours go together unless they settle the same question; what is refused is refused with the reason. This table is
written by `make docs` from `lab/flavours.py`, and `vipchaos lab flavours` prints it.

"""
_INJECTS = "who injects the route to the VIP"
_STATE = "what a node knows of its peer's sessions"
_RETURNS = "when the first node of a pair takes its role back"
_METRICS = "which site is nearest"

FLAVOURS = (
    Flavour(
        "rhi-static",
        "Route injection as the Cisco ACE does it: a static route on the site router to the pair's floating address, "
        "there while the VIP answers. The lab of the demo.",
        _INJECTS,
        lambda plan: replace(plan, rhi="static"),
    ),
    Flavour(
        "rhi-bgp",
        "Route injection as the F5 LTM does it: each node has a BGP session with its site router and announces the VIP "
        "while it is active and a server answers; the router takes it into OSPF. A dead node is given up by VRRP after "
        "0.4 s, by BGP after 3 s, by OSPF after 4 s: in this order.",
        _INJECTS,
        lambda plan: replace(plan, rhi="bgp"),
    ),
    Flavour(
        "exabgp",
        "As rhi-bgp, but ExaBGP speaks BGP on the nodes, and its own health check announces and withdraws.",
        _INJECTS,
        lambda plan: replace(plan, rhi="bgp", speaker="exabgp"),
        tools={"exabgp": "exabgp", "exabgp-healthcheck": "exabgp"},
    ),
    Flavour(
        "no-replication",
        "No conntrackd: the standby knows no session, so each is lost when it takes over.",
        _STATE,
        lambda plan: replace(plan, replication=False),
    ),
    Flavour(
        "haproxy",
        "Nodes are full proxies (HAProxy) and check the servers themselves. The peer knows no session; it resets them "
        "when it takes over. A path trace does not show the node, which is where the session ends.",
        _STATE,
        lambda plan: replace(plan, proxy=True, replication=False),
        tools={"haproxy": "haproxy"},
    ),
    Flavour(
        "no-health",
        "The route to the VIP does not depend on health: it stays when the VIP is dead.",
        "whether the route to the VIP depends on health",
        lambda plan: replace(plan, health=False),
    ),
    Flavour(
        "no-preemption",
        "A node that returns stays standby until the other fails.",
        _RETURNS,
        lambda plan: replace(plan, preemption=False),
    ),
    Flavour(
        "preempt-at-once",
        "The first node of a pair takes its role back as soon as it returns, without waiting for its session table.",
        _RETURNS,
        lambda plan: replace(plan, preempt_delay_s=0),
    ),
    Flavour(
        "bfd",
        "Timers the wrong way round: BFD gives a node up after 0.15 s and so withdraws the route before VRRP has made "
        "the peer active (0.4 s): a failover inside a site becomes one between sites, and back.",
        "how soon BGP gives up a node",
        lambda plan: replace(plan, bfd_ms=FAST_BFD_MS),
        ("the nodes to speak BGP by BIRD (rhi-bgp)", lambda plan: plan.rhi == "bgp" and plan.speaker == "bird"),
    ),
    Flavour(
        "frr",
        "FRR speaks OSPF on the access routers. For root only: its daemons take a user of their own.",
        "what speaks OSPF on the access routers",
        lambda plan: replace(plan, access_ospf="frr"),
        tools={"vtysh": "frr"},
        root=True,
    ),
    Flavour(
        "second-vip",
        f"A second VIP beside the first: {VIP2.address}, announced by a route of its own, served by the same nodes.",
        "how many VIPs there are",
        lambda plan: replace(plan, vips=(VIP, VIP2)),
    ),
    Flavour(
        "third-site",
        f"A third site, {DC3.name}, with a NAT pool of its own ({DC3.nat_pool}), and an access router with two clients "
        "that are nearest to it.",
        "how many sites there are",
        _third_site,
    ),
    # After third-site, so that its metrics become equal too.
    Flavour(
        "equal-metrics-l3",
        "The mistake that the design forbids: access routers have equal metrics to the sites and balance over them, by "
        "a hash of the addresses. A client's sessions go to one site, but nobody says which.",
        _METRICS,
        lambda plan: _equal_metrics(plan, hash_ports=False),
    ),
    Flavour(
        "equal-metrics-l4",
        "The same mistake with a hash of addresses and ports: each session of a client may go to another site.",
        _METRICS,
        lambda plan: _equal_metrics(plan, hash_ports=True),
    ),
)


def chosen(names: Iterable[str]) -> tuple[Flavour, ...]:
    """Return the flavours of these names, in the order in which they change a plan.

    Raises CallError for one that there is not and for two that do not go together, with the reason.
    """
    wanted = set(names)
    unknown = sorted(wanted - {flavour.name for flavour in FLAVOURS})
    if unknown:
        known = ", ".join(flavour.name for flavour in FLAVOURS)
        raise CallError(f"lab flavour {unknown[0]!r}: there is none of that name, allowed: {known}")
    found = tuple(flavour for flavour in FLAVOURS if flavour.name in wanted)
    for number, flavour in enumerate(found):
        for other in found[number + 1 :]:
            if flavour.settles == other.settles:
                reason = f"both say {flavour.settles}"
                raise CallError(f"lab flavours {flavour.name} and {other.name} do not go together: {reason}")
    return found


def planned(names: Iterable[str]) -> Plan:
    """Return the plan of a lab with these flavours; without any, that of the demo. Raises CallError."""
    flavours = chosen(names)
    plan = Plan(flavours=tuple(flavour.name for flavour in flavours))
    for flavour in flavours:
        plan = flavour.change(plan)
    for flavour in flavours:
        if flavour.needs and not flavour.needs[1](plan):
            raise CallError(f"lab flavour {flavour.name} does not go alone: it needs {flavour.needs[0]}")
    return plan


def as_markdown() -> str:
    """Return docs/lab.md."""
    rows = "".join(f"| `{flavour.name}` | {flavour.says} | {flavour.settles} |\n" for flavour in FLAVOURS)
    needs = "".join(f"- `{flavour.name}` needs {flavour.needs[0]}.\n" for flavour in FLAVOURS if flavour.needs)
    return f"{_PAGE}| flavour | what it is | what it settles |\n| --- | --- | --- |\n{rows}\n{needs}"


def write_here(plan: Plan) -> None:
    """Write down, inside a lab, which flavours it has, for the commands that run there."""
    Path(RUN, "flavours").write_text(json.dumps(plan.flavours))


def here() -> Plan:
    """Return the plan of the lab that this process runs in. Raises OSError when it runs in none."""
    return planned(json.loads(Path(RUN, "flavours").read_text()))
