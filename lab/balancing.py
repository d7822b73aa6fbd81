"""The texts that make a node a load balancer: keepalived, conntrackd, nftables, HAProxy, and the scripts between."""

from __future__ import annotations

from collections.abc import Sequence

from lab.topology import PORT, RUN, Plan


def keepalived(plan: Plan, node: str) -> str:
    """Return keepalived's configuration of `node`: VRRP version 3, because version 2 rounds 0.1 s up to 1 s.

    The first node of a pair is preferred, and waits before it takes back, so that its session table is
    replicated first.
    """
    site = plan.site_of(node)
    peer = next(other for other in site.nodes if other != node)
    first = node == site.nodes[0]
    back = f"preempt_delay {plan.preempt_delay_s if first else 0}" if plan.preemption else "nopreempt"
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
  virtual_router_id {10 + plan.sites.index(site)}
  priority {100 if first else 50}
  advert_int 0.1
  {back}
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


def notify(plan: Plan, node: str) -> str:
    """Return the script that keepalived calls at each change of role: it keeps the replicated state in step."""
    client = f"conntrackd -C {RUN}/{node}.conntrackd.conf"
    replicate = f"""case "$3" in
MASTER) {client} -R; {client} -B ;;
BACKUP) {client} -n ;;
esac
"""
    return f"""#!/bin/sh
echo "$3" > {RUN}/{node}.vrrp.new && mv {RUN}/{node}.vrrp.new {RUN}/{node}.vrrp
{replicate if plan.replication else ""}exit 0
"""


def healthy(plan: Plan, node: str, python: str) -> str:
    """Return the script that tells whether `node` should announce the VIPs: it is active, and serves."""
    serves = f"exec {python} -m lab.health servers {node}" if plan.health else "exit 0"
    return f"""#!/bin/sh
[ "$(cat {RUN}/{node}.vrrp)" = MASTER ] || exit 1
{serves}
"""


def conntrackd(plan: Plan, node: str) -> str:
    """Return conntrackd's configuration of `node`: FTFW to its peer, straight into the kernel's table."""
    site = plan.site_of(node)
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


def nftables(plan: Plan, node: str, servers: Sequence[str]) -> str:
    """Return the rules of a node whose healthy application servers are `servers` (addresses).

    Loading it replaces the table as one transaction. A packet to the VIP that belongs to no session known here
    is answered by a reset, as a load balancer does; a new one is, too, when no server is healthy.
    """
    site = plan.site_of(node)
    pool = site.pool_addresses()
    vips = _any_of([vip.address for vip in plan.vips])
    choices = ", ".join(f"{number} : {address}" for number, address in enumerate(servers))
    dnat = f"ip daddr {vips} tcp dport {PORT} dnat to numgen inc mod {len(servers)} map {{ {choices} }}"
    return f"""table ip lb
delete table ip lb
table ip lb {{
  chain trace {{
    type filter hook prerouting priority raw; policy accept;
    ip daddr {vips} ip ttl 1 notrack
  }}
  chain pre {{
    type nat hook prerouting priority dstnat; policy accept;
    {dnat if servers else "# no server is healthy"}
  }}
  chain stateless {{
    type filter hook forward priority filter; policy accept;
    ip daddr {vips} meta l4proto tcp reject with tcp reset
  }}
  chain post {{
    type nat hook postrouting priority srcnat; policy accept;
    ct original ip daddr {vips} snat to {pool[0]}-{pool[-1]}
  }}
}}
"""


def _any_of(addresses: Sequence[str]) -> str:
    return addresses[0] if len(addresses) == 1 else f"{{ {', '.join(addresses)} }}"


def haproxy(plan: Plan, node: str) -> str:
    """Return HAProxy's configuration of `node`: a full proxy that checks the servers itself.

    It speaks to servers from the site's NAT pool, an address for each server. The checks go out from the node's own
    address: what a server answers to the pool comes to the active node, and a standby would see all of them dead.
    """
    pool = plan.site_of(node).pool_addresses()
    binds = "\n".join(f"  bind {vip.address}:{PORT}" for vip in plan.vips)
    checked = "\n".join(f"  server {name} {address}:{PORT} check" for name, address in plan.servers.items())
    used = "\n".join(
        f"  server {name} {address}:{PORT} source {source} track checks/{name}"
        for (name, address), source in zip(plan.servers.items(), pool, strict=False)
    )
    return f"""global
  nbthread 1
  maxconn 4000
  stats socket {RUN}/{node}.haproxy.sock mode 600 level admin
defaults
  mode tcp
  timeout connect 1s
  timeout client 1h
  timeout server 1h
  default-server inter 300ms rise 2 fall 2
frontend vip
{binds}
  default_backend servers
backend checks
{checked}
backend servers
  balance roundrobin
{used}
"""
