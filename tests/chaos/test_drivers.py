"""The fault drivers against what they act on: prior, inject, proof, revert, proof; in networks of the test's own."""

from __future__ import annotations

from pathlib import Path

from chaos.driver import Term
from chaos.drivers import DRIVERS
from chaos.transport import at
from core import drivers as declared
from core.inventory import Host

TERM = Term("one.fault", 0)


def test_each_driver_is_found_and_declares_its_arguments() -> None:
    files = Path(__file__).resolve().parents[2].joinpath("chaos", "drivers").glob("[a-z]*.py")
    assert set(DRIVERS) == set(declared.DRIVERS) == {path.stem for path in files}


def test_command(host: Host, tmp_path: Path) -> None:
    mark = str(tmp_path / "out")
    arguments = {
        "inject": ("/usr/bin/touch", mark),
        "prove": ("/usr/bin/test", "-e", mark),
        "revert": ("/bin/rm", "-f", mark),
    }
    driver, run = DRIVERS["command"], at(host)
    prior = driver.prior(run, arguments, TERM)
    assert prior == {}
    for _ in range(2):
        assert driver.inject(run, arguments, prior).code == 0
        assert driver.is_out(run, arguments, prior)[0] is True
    assert driver.prior(run, arguments, TERM) is None, "what is out already is not ours"
    for _ in range(2):
        assert driver.revert(run, arguments, prior).code == 0
        assert driver.is_out(run, arguments, prior)[0] is False


def test_command_whose_proof_fails_is_unknown(host: Host) -> None:
    driver, run = DRIVERS["command"], at(host)
    for prove in (("/usr/bin/test", "a", "b"), ("/no/such/program",)):
        assert driver.is_out(run, {"prove": prove}, {})[0] is None
        assert driver.prior(run, {"prove": prove}, TERM) is None
