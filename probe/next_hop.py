"""The next hop towards the VIP as the kernel sees it now: interface, MAC addresses, why there is none (netlink)."""

from __future__ import annotations

import contextlib
import gc
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from core.inventory import Address
from probe.privileges import drop

GROUPS = 0x1 | 0x4 | 0x10 | 0x40 | 0x100 | 0x400  # RTMGRP_LINK, NEIGH, IPV4_IFADDR and ROUTE, IPV6_IFADDR and ROUTE
USABLE = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80  # NUD_REACHABLE, STALE, DELAY, PROBE, NOARP, PERMANENT
IFF_UP = 0x1
IFF_RUNNING = 0x40
ARPHRD_ETHER = 1
ARPHRD_LOOPBACK = 772
ETHERTYPE = {4: b"\x08\x00", 6: b"\x86\xdd"}
AGAIN_S = 0.2
LOOK_EACH_S = 0.02
SETTLE_S = 1.0
SETTLE_EACH_S = 0.002
NTF_USE = 0x01


@dataclass(frozen=True, slots=True)
class NextHop:
    """How frames reach the VIP now. `ethernet` is the header before them, b'' where there is no way; `why` says so."""

    interface: str
    ethernet: bytes
    why: str = ""


class NextHopWatch(threading.Thread):
    """Follows route, neighbour, link and address changes; `now` is always the latest whole picture.

    While there is no way it looks again every 0.2 s: a neighbour that nobody asks for is not announced.
    """

    def __init__(self, vip: Address, sources: Sequence[Address]) -> None:
        super().__init__(name="next hop", daemon=True)
        self._vip = vip
        self._sources = sources
        self._ended = threading.Event()
        self._family = socket.AF_INET if vip.version == 4 else socket.AF_INET6
        with IPRoute() as kernel:
            self.now = self._look(kernel)

    def run(self) -> None:
        """Look again whenever the kernel tells of a change. Looking needs no privilege."""
        drop()
        with IPRoute() as kernel, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as news:
            news.bind((0, GROUPS))
            while not self._ended.is_set():
                news.settimeout(AGAIN_S)
                try:
                    news.recv(1 << 16)
                except TimeoutError:
                    if not self.now.why:
                        continue
                except OSError:
                    pass  # ENOBUFS: more news than were read; the whole picture is taken anyway
                with contextlib.suppress(OSError):
                    while news.recv(1 << 16, socket.MSG_DONTWAIT):
                        pass
                self.see(kernel)
                self._ended.wait(LOOK_EACH_S)  # however many neighbours of others come and go

    def see(self, kernel: IPRoute) -> None:
        """Take the present picture. Netlink messages are cycles of objects, and the agent's own collector is off."""
        self.now = self._look(kernel)
        gc.collect(0)

    def settle(self) -> None:
        """Wait until there is a way, or for a second; asks with the privileges that this thread still has."""
        until_s = time.monotonic() + SETTLE_S
        with IPRoute() as kernel:
            while self.now.why and time.monotonic() < until_s:
                time.sleep(SETTLE_EACH_S)
                self.see(kernel)

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        self.join(5)

    def _look(self, kernel: IPRoute) -> NextHop:
        try:
            return self._resolve(kernel)
        except NetlinkError as error:
            return NextHop("", b"", f"no route to {self._vip}: {error.args[-1]}")
        except (OSError, IndexError) as error:
            return NextHop("", b"", f"the kernel does not tell the way to {self._vip}: {error}")

    def _resolve(self, kernel: IPRoute) -> NextHop:
        route = next(iter(kernel.route("get", dst=str(self._vip), family=self._family)))
        index = route.get_attr("RTA_OIF")
        link = next(iter(kernel.get_links(index)))
        interface = link.get_attr("IFLA_IFNAME")
        if not link["flags"] & IFF_UP or not link["flags"] & IFF_RUNNING:
            return NextHop(interface, b"", f"interface {interface} is down")
        missing = self._missing(kernel)
        if missing:
            return NextHop(interface, b"", f"address {missing} is not on this host any more")
        ethertype = ETHERTYPE[self._vip.version]
        if link["ifi_type"] == ARPHRD_LOOPBACK:
            return NextHop(interface, bytes(12) + ethertype)
        if link["ifi_type"] != ARPHRD_ETHER:
            return NextHop(interface, b"", f"interface {interface} is no Ethernet")
        gateway = route.get_attr("RTA_GATEWAY") or str(self._vip)
        with contextlib.suppress(NetlinkError):  # there is none yet
            neighbour = next(iter(kernel.neigh("get", family=self._family, ifindex=index, dst=gateway)))
            mac = neighbour.get_attr("NDA_LLADDR")
            if mac and neighbour["state"] & USABLE:
                return NextHop(interface, _mac(mac) + _mac(link.get_attr("IFLA_ADDRESS")) + ethertype)
        # As if a packet had to go there (NTF_USE); once privileges are dropped, the sessions' own packets do that.
        with contextlib.suppress(NetlinkError):
            kernel.neigh("replace", dst=gateway, ifindex=index, family=self._family, flags=NTF_USE, state=0)
        return NextHop(interface, b"", f"gateway {gateway} on {interface} does not answer")

    def _missing(self, kernel: IPRoute) -> str:
        mine = {entry.get_attr("IFA_ADDRESS") for entry in kernel.get_addr(family=self._family)}
        mine |= {entry.get_attr("IFA_LOCAL") for entry in kernel.get_addr(family=self._family)}
        return next((str(source) for source in self._sources if str(source) not in mine), "")


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))
