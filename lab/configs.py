"""The texts that the lab's daemons read: BIRD, keepalived, conntrackd, nftables, and the scripts that start them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from lab.topology import BACKBONE, CLIENTS, DAEMONS, NODES, PORT, ROUTERS, SERVERS, SITES, VIP, SitePlan, site_of

RUN = "/run/lab"
PREEMPT_DELAY_S = 3


def bird(router: str) -> str:
    """Return BIRD's configuration of `router`.

    E1 metrics (`ospf_metric1`) add the path's cost, which is what makes the closest site win. hello 1, dead 3
    and retransmit 2 are the fastest that BIRD allows without being nervous. The route to the VIP starts disabled.
    """
    site = next((plan for plan in SITES if plan.router == router), None)
    backbone = "\n".join(
        f'    interface "{other}" {{ type ptp; hello 1; dead count 3; retransmit 2; cost {cost}; check link yes; }};'
        for one, two, cost in BACKBONE
        for me, other in ((one, two), (two, one))
        if me == router
    )
    stubs = ["lan", "srv"] if site else [client for client, (access, _) in CLIENTS.items() if access == router]
    stub_names = ",".join(f'"{name}"' for name in stubs)
    statics = _statics(site) if site else ""
    export = (
        'if proto = "rhi" then { ospf_metric1 = 100; accept; }\n'
        '    if proto = "npool" then { ospf_metric1 = 10; accept; }\n    reject;'
        if site
        else "reject;"
    )
    return f"""log stderr all;
router id 10.0.0.{ROUTERS.index(router) + 1};
protocol device {{ scan time 10; }}
protocol direct {{ ipv4; interface {stub_names}, {", ".join(f'"{_peer(router, link)}"' for link in _links(router))}; }}
protocol kernel {{ ipv4 {{ import none; export where source != RTS_DEVICE; }}; }}
{statics}protocol ospf v2 ospf1 {{
  tick 1; ecmp no;
  ipv4 {{ import all; export filter {{
    {export}
  }}; }};
  area 0 {{
{backbone}
    interface {stub_names} {{ stub yes; cost 10; }};
  }};
}}
"""


def _links(router: str) -> list[tuple[str, str, int]]:
    return [link for link in BACKBONE if router in link[:2]]


def _peer(router: str, link: tuple[str, str, int]) -> str:
    return link[1] if link[0] == router else link[0]


def _statics(site: SitePlan) -> str:
    return f"""protocol static rhi {{
  disabled;
  ipv4 {{ preference 250; }};
  route {VIP}/32 via {site.floating};
}}
protocol static npool {{
  ipv4;
  route {site.nat_pool} via {site.floating};
}}
"""


def keepalived(node: str) -> str:
    """Return keepalived's configuration of `node`: VRRP version 3, because version 2 rounds 0.1 s up to 1 s.

    The first node of a pair is preferred, and waits before it takes back, so that its session table is
    replicated first.
    """
    site = site_of(node)
    peer = next(other for other in site.nodes if other != node)
    first = node == site.nodes[0]
    return f"""global_defs {{
  router_id {node}
  vrrp_version 3
  vrrp_garp_master_delay 1
  vrrp_garp_master_repeat 2
  enable_script_security
  script_user root
}}
track_file chaos {{
  file {RUN}/{node}.priority
  weight 1
  init_file 0 overwrite
}}
vrrp_instance {site.name} {{
  state BACKUP
  interface lan
  virtual_router_id {10 + SITES.index(site)}
  priority {100 if first else 50}
  advert_int 0.1
  preempt_delay {PREEMPT_DELAY_S if first else 0}
  unicast_src_ip {site.node_address(node)}
  unicast_peer {{
    {site.node_address(peer)}
  }}
  track_file {{
    chaos
  }}
  virtual_ipaddress {{
    {site.floating}/24
  }}
  notify "{RUN}/{node}.notify" root
}}
"""


def notify(node: str) -> str:
    """Return the script that keepalived calls at each change of role: it keeps the replicated state in step."""
    client = f"conntrackd -C {RUN}/{node}.conntrackd.conf"
    return f"""#!/bin/sh
echo "$3" > {RUN}/{node}.vrrp.new && mv {RUN}/{node}.vrrp.new {RUN}/{node}.vrrp
case "$3" in
MASTER) {client} -R; {client} -B ;;
BACKUP) {client} -n ;;
esac
exit 0
"""


def conntrackd(node: str) -> str:
    """Return conntrackd's configuration of `node`: FTFW to its peer, straight into the kernel's table."""
    site = site_of(node)
    me = site.nodes.index(node) + 1
    return f"""Sync {{
 Mode FTFW {{
  DisableExternalCache on
  StartupResync on
 }}
 UDP {{
  IPv4_address {site.sync_lan}.{me}
  IPv4_Destination_Address {site.sync_lan}.{3 - me}
  Port 3780
  Interface sync
  Checksum on
 }}
}}
General {{
 Systemd off
 HashSize 8192
 HashLimit 65536
 LogFile {RUN}/{node}.conntrackd.log
 Syslog off
 LockFile {RUN}/{node}.conntrackd.lock
 UNIX {{
  Path {RUN}/{node}.conntrackd.sock
 }}
 NetlinkBufferSize 2097152
 NetlinkBufferSizeMaxGrowth 8388608
 Filter From Userspace {{
  Protocol Accept {{
   TCP
  }}
  Address Ignore {{
   IPv4_address 127.0.0.1
   IPv4_address {site.node_address(node)}
   IPv4_address {site.sync_lan}.{me}
  }}
 }}
}}
"""


def nftables(node: str, servers: Sequence[str]) -> str:
    """Return the rules of a node whose healthy application servers are `servers` (addresses).

    Loading it replaces the table as one transaction. A packet to the VIP that belongs to no session known here
    is answered by a reset, as a load balancer does; a new one is, too, when no server is healthy.
    """
    site = site_of(node)
    choices = ", ".join(f"{number} : {address}" for number, address in enumerate(servers))
    dnat = f"ip daddr {VIP} tcp dport {PORT} dnat to numgen inc mod {len(servers)} map {{ {choices} }}"
    return f"""table ip lb
delete table ip lb
table ip lb {{
  chain trace {{
    type filter hook prerouting priority raw; policy accept;
    ip daddr {VIP} ip ttl 1 notrack
  }}
  chain pre {{
    type nat hook prerouting priority dstnat; policy accept;
    {dnat if servers else "# no server is healthy"}
  }}
  chain stateless {{
    type filter hook forward priority filter; policy accept;
    ip daddr {VIP} meta l4proto tcp reject with tcp reset
  }}
  chain post {{
    type nat hook postrouting priority srcnat; policy accept;
    ct original ip daddr {VIP} snat to {_pool_range(site)}
  }}
}}
"""


def _pool_range(site: SitePlan) -> str:
    prefix = site.nat_pool.rsplit(".", 1)[0]
    return f"{prefix}.1-{prefix}.14"


def start_scripts(python: str) -> Mapping[str, str]:
    """Return the start script of each daemon, by 'node.daemon'; `python` runs the lab's own monitors.

    Each is idempotent: a running daemon is left alone, files that a kill -9 leaves behind are removed, and the
    script returns when the daemon has its pid file.
    """
    return {f"{node}.{daemon}": _script(node, daemon, _command(node, daemon, python)) for node, daemon in DAEMONS}


def _command(node: str, daemon: str, python: str) -> list[str]:
    base = f"{RUN}/{node}.{daemon}"
    match daemon:
        case "bird":
            return ["bird", "-f", "-c", f"{base}.conf", "-s", f"/run/bird/{node}.ctl"]
        case "keepalived":
            return [
                "keepalived",
                "-n",
                "-l",
                "-P",
                "-f",
                f"{base}.conf",
                "-p",
                f"{base}.parent.pid",
                "-r",
                f"{base}.vrrp.pid",
            ]
        case "conntrackd":
            return ["conntrackd", "-C", f"{base}.conf"]
        case "reflector":
            return [python, "-m", "probe.reflector", "--name", node, "--port", str(PORT)]
        case "rhi" | "pool":
            return [python, "-m", "lab.health", daemon, node]
        case _:
            raise KeyError(daemon)


def _script(node: str, daemon: str, command: Sequence[str]) -> str:
    base = f"{RUN}/{node}.{daemon}"
    left_behind = {
        "conntrackd": f"{base}.lock {base}.sock",
        "keepalived": f"{base}.parent.pid {base}.vrrp.pid",
        "bird": f"/run/bird/{node}.ctl",
    }.get(daemon, "")
    clean = f"rm -f {left_behind}\n" if left_behind else ""
    # The daemon replaces the shell that wrote its own pid, so the file is right whatever the daemon does itself.
    return f"""#!/bin/sh
# Starts {daemon} on {node} unless it runs; returns when it does.
if [ -s {base}.pid ] && kill -0 "$(cat {base}.pid)" 2>/dev/null; then exit 0; fi
rm -f {base}.pid
{clean}setsid ip netns exec {node} sh -c 'echo $$ > {base}.pid.new && mv {base}.pid.new {base}.pid && exec "$@"' \\
  sh {shlex.join(command)} </dev/null >>{base}.out 2>&1 &
for _ in $(seq 100); do [ -s {base}.pid ] && exit 0; sleep 0.02; done
echo "{daemon} on {node} did not start" >&2
exit 1
"""


def files(python: str) -> Mapping[str, tuple[str, int]]:
    """Return every file that the daemons need, as path -> (text, mode)."""
    found: dict[str, tuple[str, int]] = {}
    for router in ROUTERS:
        found[f"{RUN}/{router}.bird.conf"] = (bird(router), 0o644)
    for node in NODES:
        found[f"{RUN}/{node}.keepalived.conf"] = (keepalived(node), 0o644)
        found[f"{RUN}/{node}.notify"] = (notify(node), 0o755)
        found[f"{RUN}/{node}.conntrackd.conf"] = (conntrackd(node), 0o644)
        found[f"{RUN}/{node}.nft"] = (nftables(node, list(SERVERS.values())), 0o644)
    for name, text in start_scripts(python).items():
        found[f"{RUN}/start/{name}"] = (text, 0o755)
    return found
