"""The texts that the lab's routing daemons read: BIRD and FRR on the routers, BIRD and ExaBGP on the nodes."""

from __future__ import annotations

from lab.topology import RUN, Plan, SitePlan

NODE_AS = 65001
ROUTER_AS = 65100
HOLD_S = 3
"""The shortest that BIRD allows: longer than a takeover by VRRP (0.4 s), shorter than OSPF's dead interval."""


def dead_s(plan: Plan) -> int:
    """Return after how long OSPF gives up a neighbour: later than whatever injects the route gives up a node."""
    return HOLD_S + 1 if plan.rhi == "bgp" else 3


def bird(plan: Plan, router: str) -> str:
    """Return BIRD's configuration of `router`.

    E1 metrics (`ospf_metric1`) add the path's cost, which is what makes the closest site win. hello 1, dead 3
    and retransmit 2 are the fastest that BIRD allows without being nervous. A site's metric is 100 plus what a file of
    its own says, by which the site can be drained.
    """
    site = next((site for site in plan.sites if site.router == router), None)
    backbone = "\n".join(
        f'    interface "{other}" {{ type ptp; hello 1; dead count {dead_s(plan)}; retransmit 2; cost {cost};'
        " check link yes; };"
        for other, cost in _neighbours(plan, router)
    )
    stub_names = ",".join(f'"{name}"' for name in _stubs(plan, router))
    to_neighbours = ", ".join(f'"{other}"' for other, _ in _neighbours(plan, router))
    injected = _injected(plan, site) if site else ""
    paths = ("yes", " merge paths on;", "ecmp yes; merge external yes;") if plan.ecmp else ("no", "", "ecmp no;")
    metric = f'include "{router}.metric.conf";\n' if site else ""
    return f"""log stderr all;
{metric}router id 10.0.0.{plan.routers.index(router) + 1};
protocol device {{ scan time 10; }}
protocol direct {{ ipv4; interface {stub_names}, {to_neighbours}; }}
protocol kernel {{ ipv4 {{ import none; export where source != RTS_DEVICE; }};{paths[1]} }}
{injected}protocol ospf v2 ospf1 {{
  tick 1; {paths[2]}
  ipv4 {{ import all; export filter {{
    {_external(plan) if site else "reject;"}
  }}; }};
  area 0 {{
{backbone}
    interface {stub_names} {{ stub yes; cost 10; }};
  }};
}}
"""


def _external(plan: Plan) -> str:
    """Return what a site router tells the others: its routes to the VIPs, and to its NAT pool, the nearer."""
    of_vips = ["source = RTS_BGP"] if plan.rhi == "bgp" else [f'proto = "{vip.protocol}"' for vip in plan.vips]
    lines = [f"if {of_vip} then {{ ospf_metric1 = 100 + chaos_metric; accept; }}" for of_vip in of_vips]
    return "\n    ".join([*lines, 'if proto = "npool" then { ospf_metric1 = 10; accept; }', "reject;"])


def _neighbours(plan: Plan, router: str) -> list[tuple[str, int]]:
    return [(other, cost) for one, two, cost in plan.backbone for me, other in ((one, two), (two, one)) if me == router]


def _stubs(plan: Plan, router: str) -> list[str]:
    """Return the interfaces of `router` behind which no other router is."""
    clients = [client for client, (access, _) in plan.clients.items() if access == router]
    return clients or ["lan", "srv"]


def _injected(plan: Plan, site: SitePlan) -> str:
    """Return where a site router has its routes to the VIPs from, and its route to the NAT pool."""
    npool = f"""protocol static npool {{
  ipv4;
  route {site.nat_pool} via {site.floating};
}}
"""
    if plan.rhi == "bgp":
        return _bfd(plan) + "".join(_session_with(plan, site, node) for node in site.nodes) + npool
    # Not `disabled`: it would be so again whenever BIRD is told to read its configuration.
    statics = "".join(
        f"""protocol static {vip.protocol} {{
  ipv4 {{ preference 250; }};
  route {vip.address}/32 via {site.floating};
}}
"""
        for vip in plan.vips
    )
    return statics + npool


def _bfd(plan: Plan) -> str:
    if not plan.bfd_ms:
        return ""
    return f'protocol bfd {{ interface "lan" {{ interval {plan.bfd_ms} ms; multiplier 3; }}; }}\n'


def _timers(plan: Plan) -> str:
    """Return the lines of a BGP session that say how soon it notices, and how soon it comes back."""
    return (
        f"  hold time {HOLD_S}; keepalive time 1; connect delay time 1; connect retry time 1; error wait time 1, 2;\n"
        f"  graceful restart off; bfd {'on' if plan.bfd_ms else 'off'};"
    )


def _session_with(plan: Plan, site: SitePlan, node: str) -> str:
    vips = ", ".join(f"{vip.address}/32" for vip in plan.vips)
    return f"""protocol bgp {node} {{
  local {site.router_address} as {ROUTER_AS}; neighbor {site.node_address(node)} as {NODE_AS}; direct;
{_timers(plan)}
  ipv4 {{ preference 250; import where net ~ [ {vips} ]; export none; }};
}}
"""


def node_bird(plan: Plan, node: str) -> str:
    """Return BIRD's configuration of a load balancer: it tells its site router of the VIPs, and learns nothing.

    The next hop is the pair's floating address, so that a takeover moves no route. The blackholes stay in BIRD,
    which has no kernel protocol here.
    """
    site = plan.site_of(node)
    statics = "".join(
        f"protocol static {vip.protocol} {{ disabled; ipv4; route {vip.address}/32 blackhole; }}\n" for vip in plan.vips
    )
    return f"""log stderr all;
router id {site.node_address(node)};
protocol device {{ scan time 10; }}
{_bfd(plan)}{statics}protocol bgp upstream {{
  local {site.node_address(node)} as {NODE_AS}; neighbor {site.router_address} as {ROUTER_AS}; direct;
{_timers(plan)}
  ipv4 {{ import none; export where source = RTS_STATIC; next hop address {site.floating}; }};
}}
"""


def exabgp(plan: Plan, node: str) -> str:
    """Return ExaBGP's configuration of a load balancer: its own health check announces and withdraws the VIPs.

    Without --withdraw-on-down a failed check would only raise the metric.
    """
    site = plan.site_of(node)
    announced = " ".join(f"--ip {vip.address}/32" for vip in plan.vips)
    return f"""process healthcheck {{
  run exabgp-healthcheck --no-syslog --no-ack --cmd {RUN}/{node}.healthy --interval 0.5 --fast-interval 0.3
   --rise 1 --fall 3 --timeout 2 --withdraw-on-down --no-ip-setup --next-hop {site.floating} {announced};
  encoder text;
}}
neighbor {site.router_address} {{
  router-id {site.node_address(node)};
  local-address {site.node_address(node)};
  local-as {NODE_AS};
  peer-as {ROUTER_AS};
  hold-time {HOLD_S};
  family {{ ipv4 unicast; }}
  api {{ processes [ healthcheck ]; }}
}}
""".replace("\n   --", " --")


def ospfd(plan: Plan, router: str) -> str:
    """Return the configuration of FRR's ospfd on an access router: what BIRD's says, in its words."""
    to_neighbours = "".join(
        f"""interface {other}
 ip ospf area 0
 ip ospf cost {cost}
 ip ospf network point-to-point
 ip ospf hello-interval 1
 ip ospf dead-interval {dead_s(plan)}
 ip ospf retransmit-interval 3
!
"""
        for other, cost in _neighbours(plan, router)
    )
    stubs = "".join(
        f"interface {name}\n ip ospf area 0\n ip ospf cost 10\n ip ospf passive\n!\n" for name in _stubs(plan, router)
    )
    return f"""hostname {router}
log stdout
{to_neighbours}{stubs}router ospf
 ospf router-id 10.0.0.{plan.routers.index(router) + 1}
 timers throttle spf 0 50 1000
!
"""
