"""The inventory that belongs to a lab, as a function of its plan; `experiments/lab.yaml` is that of the demo's."""

from __future__ import annotations

from lab.topology import VIP, Plan, SitePlan, Vip


def inventory(plan: Plan, vip: Vip = VIP) -> str:
    """Return the inventory of a lab for one of its VIPs, as YAML."""
    told = f"# This is of one with the flavours {', '.join(plan.flavours)}.\n" if plan.flavours else ""
    sites = "".join(_site(plan, site, vip) for site in plan.sites)
    vantages = "".join(f"  {client}: {{host: {client}, sessions: 25, period_s: 0.01}}\n" for client in plan.clients)
    hosts = (*plan.clients, *plan.nodes, plan.switches[0], *(site.router for site in plan.sites))
    reached = "".join(f"  {host}: {{transport: netns, target: {host}}}\n" for host in hosts)
    return f"""\
# The inventory of the lab that `vipchaos demo` and `vipchaos lab up` bring up. Every key: docs/inventory.md.
{told}# To use vipchaos on your own network, copy this file and change it; `vipchaos check FILE` says what is wrong.

vip:
  name: {vip.name}
  address: {vip.address}
  port: 7000

sites:
{sites}
# {_catchments(plan)}
vantages:
{vantages}
# Each machine of the lab is a network namespace of its own.
hosts:
{reached}
# Faults may be injected here and nowhere else.
allowed_targets: [sw1, ace1, ace2, r1]
"""


def _site(plan: Plan, site: SitePlan, vip: Vip) -> str:
    nodes = "".join(f"      {node}: {{host: {node}, addresses: [{site.node_address(node)}]}}\n" for node in site.nodes)
    looks = "where, source, =, RTS_BGP" if plan.rhi == "bgp" else f"protocol, {vip.protocol}"
    command = f"[birdc, -s, /run/bird/{site.router}.ctl, show, route, {looks}]"
    number = site.name.removeprefix("dc")
    return f"""  {site.name}:
    nat_pool:
      name: N{number}
      network: {site.nat_pool}
    announces: {{host: {site.router}, command: {command}, shows: {vip.address}/32}}
    nodes:
{nodes}"""


def _catchments(plan: Plan) -> str:
    """Return in words which vantages stand behind which router, and which site is nearest to it."""
    told: list[str] = []
    for router in plan.access:
        clients = " and ".join(client for client, (access, _) in plan.clients.items() if access == router)
        nearest = [site.name for site in plan.nearest(router)]
        site = f"nearest site {nearest[0]}" if not told else nearest[0]
        equally = f"{' and '.join(nearest)} equally near"
        told.append(
            f"{clients} {'' if told else 'stand '}behind {'access router ' if not told else ''}{router} "
            f"({site if len(nearest) == 1 else equally})"
        )
    return ", ".join(told) + "."
