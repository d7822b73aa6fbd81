"""A driver of one's own, that of the documentation: found by its file's name, checked, planned, injected, reverted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from chaos import drivers
from chaos.driver import Driver, Term
from chaos.transport import at
from core.drivers import Drivers
from core.errors import ConfigError
from core.inventory import Host
from core.loader import load_inventory, parse_experiments
from core.schema import experiment_schema
from tests.chaos.as_planned import HeldToItsWord

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("core", "store", "probe", "lab", "dashboards", "cli")
PAGE = (ROOT / "docs" / "experiments.md").read_text().split("\n## A driver of your own\n")[1].split("\n## ")[0]
(MTU,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(FAULT,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
LAB = load_inventory(ROOT / "experiments" / "lab.yaml")
FAILOVER = (ROOT / "experiments" / "node-failover.yaml").read_text()
EXPERIMENT = f"{FAILOVER[: FAILOVER.index('faults:')]}faults:\n{FAULT}{FAILOVER[FAILOVER.index('hold_s:') :]}"
Found = Callable[[str, str], Mapping[str, Driver]]


@pytest.fixture
def found_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Found]:
    """The drivers that are found once a file of that name and text lies beside the others."""
    before = set(sys.modules)

    def find(name: str, text: str) -> Mapping[str, Driver]:
        (tmp_path / name).write_text(text)
        monkeypatch.setattr(drivers, "__path__", [*drivers.__path__, str(tmp_path)])
        return drivers.found()

    yield find
    for module in set(sys.modules) - before:
        del sys.modules[module]


def declared(found: Mapping[str, Driver]) -> Drivers:
    return {name: driver.declared for name, driver in found.items()}


def test_a_file_with_a_class_is_all_that_it_takes(found_with: Found) -> None:
    assert "mtu" not in drivers.DRIVERS
    found = declared(found_with("mtu.py", MTU))
    assert set(found) == {*drivers.DRIVERS, "mtu"}
    (loaded,) = parse_experiments([("x", EXPERIMENT)], LAB, found)
    assert loaded.faults[0].arguments == {"interface": "lan", "mtu": 600}


def test_its_arguments_are_checked_and_an_unknown_name_lists_it(found_with: Found) -> None:
    found = declared(found_with("mtu.py", MTU))
    accepts = Draft202012Validator(experiment_schema(found)).is_valid
    assert accepts(yaml.safe_load(EXPERIMENT))
    for old, new, words in (
        ("mtu: 600", "mtu: 10", "arguments.mtu: is '10', allowed: a number from 68 to 9000"),
        ("mtu: 600", "size: 600", "arguments.size: unknown key, allowed: interface, mtu"),
        ("driver: mtu", "driver: mut", "is 'mut', no driver, allowed: one of ace, .*, link, mtu, nft, "),
    ):
        text = EXPERIMENT.replace(old, new)
        with pytest.raises(ConfigError, match=words):
            parse_experiments([("x", text)], LAB, found)
        assert not accepts(yaml.safe_load(text))


def test_it_injects_proves_and_reverts(found_with: Found, host: Host) -> None:
    driver, target = HeldToItsWord(found_with("mtu.py", MTU)["mtu"]), at(host)
    arguments, term = {"interface": "left", "mtu": 600}, Term("one.fault", 0)
    prior = driver.prior(target, arguments, term)
    assert prior == {"mtu": 1500}
    for _ in range(2):
        assert driver.inject(target, arguments, prior).code == 0
        assert driver.is_out(target, arguments, prior) == (True, "MTU of left: 600")
    assert driver.prior(target, arguments, term) is None, "what is out already is not ours"
    for _ in range(2):
        assert driver.revert(target, arguments, prior).code == 0
        assert driver.is_out(target, arguments, prior) == (False, "MTU of left: 1500")
    target.do(["ip", "link", "set", "dev", "left", "mtu", "1400"])
    assert driver.revert(target, arguments, prior).code == 0
    assert driver.is_out(target, arguments, prior)[1] == "MTU of left: 1400", "another's is left"
    nowhere = arguments | {"interface": "nonsense"}
    assert driver.is_out(target, nowhere, prior)[0] is None
    assert driver.prior(target, nowhere, term) is None


def test_the_commands_know_it(tmp_path: Path) -> None:
    """In a tree of its own, with the one file more."""
    shutil.copytree(ROOT / "chaos", tmp_path / "chaos", ignore=shutil.ignore_patterns("__pycache__"))
    for room in ROOMS:
        (tmp_path / room).symlink_to(ROOT / room)
    (tmp_path / "chaos" / "drivers" / "mtu.py").write_text(MTU)
    (tmp_path / "good.yaml").write_text(EXPERIMENT)
    (tmp_path / "bad.yaml").write_text(EXPERIMENT.replace("driver: mtu", "driver: mut"))

    def vipchaos(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "cli", *words]
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)

    checked = vipchaos("check", "good.yaml")
    assert (checked.returncode, checked.stderr) == (0, "")
    refused = vipchaos("check", "bad.yaml")
    assert refused.returncode == 4
    assert re.search("'mut', no driver, allowed: one of ace, .*, mtu, ", refused.stderr)
    planned = vipchaos("plan", "--inventory", str(ROOT / "experiments" / "lab.yaml"), "good.yaml")
    assert "    revert  ip link set dev lan mtu '<MTU of before>'\n" in planned.stdout
    assert '"octets of the largest packet"' in vipchaos("schema").stdout


@pytest.mark.parametrize(
    "text",
    ["class MTU:\n    declared = None\n", "class MtuDriver:\n    pass\n", MTU.replace("class MtuDriver", "class Mtu")],
)
def test_a_file_that_is_no_driver_is_refused(found_with: Found, text: str) -> None:
    with pytest.raises(ConfigError, match=r"mtu\.py: is no driver, allowed: a class MtuDriver whose `declared` is a"):
        found_with("mtu.py", text)


def test_a_name_of_two_words_and_a_file_that_is_for_others(found_with: Found) -> None:
    found = found_with("own_mtu.py", MTU.replace("class MtuDriver", "class OwnMtuDriver"))
    assert "own_mtu" in found
    assert set(found_with("_shared.py", "")) == set(found)
