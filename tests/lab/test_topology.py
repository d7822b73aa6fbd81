"""The lab's data and texts, without a lab."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from ipaddress import IPv4Interface
from pathlib import Path

import pytest

from core.loader import load_inventory
from lab import balancing, configs, routing, topology
from lab.health import Health
from lab.topology import Plan

LAB = Path(__file__).resolve().parents[2] / "experiments" / "lab.yaml"
PLAN = Plan()


def test_addresses_are_unique_and_ends_of_a_link_share_a_network() -> None:
    addresses: Counter[str] = Counter()
    for link in PLAN.links():
        ends = [IPv4Interface(address) for address in (link.a_address, link.b_address) if address]
        addresses.update(str(end.ip) for end in ends)
        assert len({end.network for end in ends}) <= 1, link
        assert {link.a, link.b} <= set(PLAN.namespaces)
    assert set(addresses.values()) == {1}


def test_a_withdrawn_route_neither_loops_nor_crosses_the_core() -> None:
    cost = {frozenset(link[:2]): link[2] for link in topology.BACKBONE}
    core = cost[frozenset({"r1", "r2"})]
    for access, own, other in (("a1", "r1", "r2"), ("a2", "r2", "r1")):
        near, far = cost[frozenset({access, own})], cost[frozenset({access, other})]
        assert near < far, "its own site is nearest"
        assert far < near + core, "then straight to the other site"
        assert core < near + far, "the site router does not send back"


def test_the_inventory_says_what_the_lab_is() -> None:
    inventory = load_inventory(LAB)
    assert (str(inventory.vip.address), inventory.vip.port) == (topology.VIP.address, topology.PORT)
    for site in topology.SITES:
        assert str(inventory.sites[site.name].nat_pool.network) == site.nat_pool
        for node in inventory.sites[site.name].nodes:
            assert [str(address) for address in node.addresses] == [site.node_address(node.name)]
    assert set(inventory.hosts) <= set(PLAN.namespaces)


@pytest.mark.parametrize("router", PLAN.routers)
def test_bird_takes_its_configuration(router: str, tmp_path: Path) -> None:
    bird = shutil.which("bird", path="/usr/sbin:/usr/bin:/sbin")
    assert bird, "make setup installs it"
    (tmp_path / "bird.conf").write_text(routing.bird(PLAN, router))
    for path, (text, _) in configs.files(PLAN, "python").items():
        if path.endswith(".metric.conf"):
            (tmp_path / Path(path).name).write_text(text)
    done = subprocess.run([bird, "-p", "-c", str(tmp_path / "bird.conf")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_pool_without_servers_refuses() -> None:
    assert "dnat to" not in balancing.nftables(PLAN, "ace1", [])
    assert "mod 1 map { 0 : 10.1.2.2 }" in balancing.nftables(PLAN, "ace1", ["10.1.2.2"])
    assert "snat to 10.2.100.1-10.2.100.14" in balancing.nftables(PLAN, "ace3", ["10.1.2.2"])


def test_health_has_hysteresis() -> None:
    health = Health(up=True)
    for passed, up in ((False, True), (True, True), (False, True), (False, True), (False, False)):
        health = health.after(passed, rise=2, fall=3)
        assert health.up is up
    assert health.after(True, 2, 3).up is False
    assert health.after(True, 2, 3).after(True, 2, 3).up is True
