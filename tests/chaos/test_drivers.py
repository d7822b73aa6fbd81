"""The fault drivers against what they act on: prior, inject, proof, revert, proof; in networks of the test's own."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from chaos.driver import Term
from chaos.drivers import DECLARED
from chaos.transport import at
from core.inventory import Host
from core.loader import parse_experiments, parse_inventory
from tests.chaos.as_planned import DRIVERS

ROOT = Path(__file__).resolve().parents[2]
TERM = Term("one.fault", 0)


def test_each_driver_is_found_and_declares_its_arguments() -> None:
    files = (ROOT / "chaos" / "drivers").glob("[a-z]*.py")
    assert set(DRIVERS) == set(DECLARED) == {path.stem for path in files}


def test_each_driver_is_in_the_documentation_with_an_example_that_loads() -> None:
    page = (ROOT / "docs" / "experiments.md").read_text()
    inventory = parse_inventory(lab_with_the_hosts_of_the_documentation(), "lab.yaml")
    experiment = (ROOT / "experiments" / "node-failover.yaml").read_text()
    before, after = experiment[: experiment.index("faults:")], experiment[experiment.index("hold_s:") :]
    shown = set()
    for number, example in enumerate(re.findall(r"```yaml\n(driver: .*?)```", page, re.DOTALL)):
        fault = "faults:\n  - name: example\n" + textwrap.indent(example, "    ") + "\n"
        (loaded,) = parse_experiments([(f"example {number}", before + fault + after)], inventory, DECLARED)
        shown.add(loaded.faults[0].driver)
    assert shown == set(DRIVERS)
    for driver, declared in DECLARED.items():
        assert f"\n### {driver}\n" in page
        section = page.split(f"\n### {driver}\n")[1].split("\n#")[0]
        (row,) = re.findall(rf"^\| `{driver}` .*", page, re.MULTILINE)
        assert all(re.search(rf"\b{name}\b", row + section) for name in declared.arguments), driver


def lab_with_the_hosts_of_the_documentation() -> str:
    """The lab has no devices: those of the example in docs/inventory.md are added, and allowed."""
    (example,) = re.findall(r"```yaml\nhosts:\n(.*?)```", (ROOT / "docs" / "inventory.md").read_text(), re.DOTALL)
    names = re.findall(r"^  (\S+):", example, re.MULTILINE)
    text = (ROOT / "experiments" / "lab.yaml").read_text()
    return text.replace("\nhosts:\n", f"\nhosts:\n{example}").replace(
        "allowed_targets: [", f"allowed_targets: [{', '.join(names)}, "
    )


def test_command(host: Host, tmp_path: Path) -> None:
    mark = str(tmp_path / "out")
    arguments = {
        "inject": ("/usr/bin/touch", mark),
        "prove": ("/usr/bin/test", "-e", mark),
        "revert": ("/bin/rm", "-f", mark),
    }
    driver, target = DRIVERS["command"], at(host)
    prior = driver.prior(target, arguments, TERM)
    assert prior == {}
    for _ in range(2):
        assert driver.inject(target, arguments, prior).code == 0
        assert driver.is_out(target, arguments, prior)[0] is True
    assert driver.prior(target, arguments, TERM) is None, "what is out already is not ours"
    for _ in range(2):
        assert driver.revert(target, arguments, prior).code == 0
        assert driver.is_out(target, arguments, prior)[0] is False


def test_command_whose_proof_fails_is_unknown(host: Host) -> None:
    driver, target = DRIVERS["command"], at(host)
    for prove in (("/usr/bin/test", "a", "b"), ("/no/such/program",)):
        assert driver.is_out(target, {"prove": prove}, {})[0] is None
        assert driver.prior(target, {"prove": prove}, TERM) is None
