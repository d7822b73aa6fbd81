"""The flavours as data: each changes the plan, texts parse, inventories fit, what makes no sense is refused."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.lab import lab as lab_command
from core.errors import CallError, PrivilegeError
from core.loader import parse_inventory
from lab import client, configs
from lab.flavours import FLAVOURS, as_markdown, planned
from lab.inventory import inventory
from lab.topology import Plan

ROOT = Path(__file__).resolve().parents[2]
COMBINED = (
    (),
    *((flavour.name,) for flavour in FLAVOURS if not flavour.needs),
    ("rhi-bgp", "bfd", "second-vip"),
    ("exabgp", "second-vip", "third-site", "frr"),
    ("third-site", "equal-metrics-l4", "rhi-bgp"),
    ("haproxy", "no-health", "second-vip"),
)


@pytest.mark.parametrize("names", COMBINED, ids=",".join)
def test_the_daemons_take_their_texts(names: tuple[str, ...], tmp_path: Path) -> None:
    checks = {"bird": ["bird", "-p", "-c"], "haproxy": ["haproxy", "-c", "-f"], "ospfd": ["vtysh", "--dryrun", "-f"]}
    parsed = 0
    files = configs.files(planned(names), "python")
    for path, (text, _) in files.items():
        if path.endswith(".metric.conf"):  # what others include
            (tmp_path / Path(path).name).write_text(text)
    for path, (text, _) in files.items():
        daemon = path.removesuffix(".conf").rsplit(".", 1)[1]
        if path.endswith(".conf") and daemon in checks:
            (tmp_path / "text").write_text(text.replace("log stdout\n", ""))
            program, *options = checks[daemon]
            argv = [shutil.which(program, path=client.environment()["PATH"]) or program, *options]
            done = subprocess.run([*argv, str(tmp_path / "text")], capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{path}: {done.stderr}{done.stdout}"
            parsed += 1
    assert parsed >= len(planned(names).routers)


@pytest.mark.parametrize("names", COMBINED, ids=",".join)
def test_the_inventory_fits(names: tuple[str, ...]) -> None:
    plan = planned(names)
    for vip in plan.vips:
        found = parse_inventory(inventory(plan, vip), "fitting.yaml")
        assert str(found.vip.address) == vip.address
        assert {name: str(site.nat_pool.network) for name, site in found.sites.items()} == {
            site.name: site.nat_pool for site in plan.sites
        }
        assert set(found.vantages) == set(plan.clients)
        assert set(found.hosts) <= set(plan.namespaces)


def test_without_flavours_it_is_the_lab_of_the_demo() -> None:
    assert planned(()) == Plan()
    assert inventory(Plan()) == (ROOT / "experiments" / "lab.yaml").read_text()
    assert configs.files(planned(["rhi-static"]), "python") == configs.files(Plan(), "python")


def test_each_flavour_changes_the_plan_and_settles_one_question() -> None:
    assert len({flavour.name for flavour in FLAVOURS}) == len(FLAVOURS)
    on = {flavour.name: planned(["rhi-bgp"]) if flavour.needs else Plan() for flavour in FLAVOURS}
    unchanged = {flavour.name for flavour in FLAVOURS if flavour.change(on[flavour.name]) == on[flavour.name]}
    assert unchanged == {"rhi-static"}, "which names what is there"


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["rhi-static", "rhi-bgp"], "rhi-static and rhi-bgp do not go together: both say who injects the route"),
        (["haproxy", "no-replication"], "both say what a node knows of its peer's sessions"),
        (["equal-metrics-l4", "equal-metrics-l3"], "both say which site is nearest"),
        (["no-preemption", "preempt-at-once"], "both say when the first node"),
        (["bfd"], r"bfd does not go alone: it needs the nodes to speak BGP by BIRD \(rhi-bgp\)"),
        (["exabgp", "bfd"], "needs the nodes to speak BGP by BIRD"),
        (["vanilla"], "'vanilla': there is none of that name, allowed: rhi-static, "),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(names: Iterable[str], reason: str) -> None:
    with pytest.raises(CallError, match=reason):
        planned(names)


def test_order_of_flavours_does_not_matter() -> None:
    assert planned(["equal-metrics-l4", "third-site"]) == planned(["third-site", "equal-metrics-l4"])
    assert [site.name for site in planned(["third-site", "equal-metrics-l4"]).nearest("a1")] == ["dc1", "dc2", "dc3"]
    assert [site.name for site in planned(["third-site"]).nearest("a3")] == ["dc3"]


def test_a_program_that_a_flavour_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TOOLS", {})
    monkeypatch.setattr(client, "SBIN", ())
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PrivilegeError, match=r"exabgp \(package exabgp\)"):
        client.preflight(["exabgp"])


def test_the_command_lists_and_prints_them() -> None:
    run = CliRunner().invoke
    listed = run(lab_command, ["flavours"]).output
    assert all(f"{flavour.name} " in listed and flavour.says in listed for flavour in FLAVOURS)
    printed = run(lab_command, ["inventory", "--flavour", "second-vip", "--vip", "vip2"]).output
    assert str(parse_inventory(printed, "printed").vip.address) == "203.0.113.11"
    refused = run(lab_command, ["inventory", "--vip", "vip2"]).exception
    assert isinstance(refused, CallError)
    assert "allowed: vip" in str(refused)


def test_the_page_is_that_of_the_code() -> None:
    assert as_markdown() == (ROOT / "docs" / "lab.md").read_text()
