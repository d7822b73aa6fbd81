"""Looking at the next hop again and again leaves nothing behind, though nobody collects garbage in an agent."""

from __future__ import annotations

import gc
from ipaddress import IPv4Address

from pyroute2 import IPRoute

from probe.next_hop import NextHopWatch


def test_looking_again_leaves_no_cycles_behind() -> None:
    watch = NextHopWatch(IPv4Address("127.0.0.5"), (IPv4Address("127.0.0.1"),))
    with IPRoute() as kernel:
        watch.see(kernel)
        gc.collect()
        gc.disable()
        try:
            before = len(gc.get_objects())
            for _ in range(20):
                watch.see(kernel)
            assert len(gc.get_objects()) - before < 200
        finally:
            gc.enable()
    assert watch.now.ethernet
