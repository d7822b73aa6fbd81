"""What would cut the way back from a target, and what would not."""

from __future__ import annotations

import pytest

from core.revert_path import WayBack, cut

BY_KERNEL = WayBack("10.0.0.2", "eth0", "kernel")
BY_OSPF = WayBack("10.0.0.2", "eth0", "bird")
MOVES = "the way back is from 10.0.0.2, which would move to the peer"
UNKNOWN = WayBack("10.0.0.2", "eth0", "")


@pytest.mark.parametrize(
    ("driver", "arguments", "way", "why"),
    [
        ("link", {"interface": "eth0"}, BY_KERNEL, "the way back leads by eth0"),
        ("link", {"interface": "eth1"}, BY_KERNEL, ""),
        (
            "keepalived",
            {"address": "10.0.0.2"},
            BY_KERNEL,
            MOVES,
        ),
        ("keepalived", {"address": "10.0.0.10"}, BY_KERNEL, ""),
        ("bird", {"protocol": "rhi"}, BY_KERNEL, ""),
        ("bird", {"protocol": "rhi"}, BY_OSPF, "the way back by eth0 is a route that bird made"),
        ("frr", {}, UNKNOWN, "the way back by eth0 is a route that an unknown protocol made"),
        ("process", {"name": "bird"}, BY_OSPF, "the way back by eth0 is a route that bird made"),
        ("process", {"name": "bird"}, BY_KERNEL, ""),
        ("process", {"name": "nginx"}, BY_OSPF, ""),
        ("process", {"name": "sshd"}, BY_KERNEL, "sshd is what the way back needs"),
        ("service", {"unit": "ssh.service"}, BY_KERNEL, "ssh is what the way back needs"),
        ("service", {"unit": "haproxy"}, BY_KERNEL, ""),
        ("nft", {"hook": "input"}, BY_OSPF, ""),
    ],
)
def test_what_cuts_the_way_back(driver: str, arguments: dict[str, object], way: WayBack, why: str) -> None:
    assert cut(driver, arguments, way) == why
