"""`run --all`: what is one run, what is refused before anything is touched, what becomes of the exit code."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import EXPERIMENTS, library
from cli.controller import check_flavours
from cli.library import All, grouped, run_all
from cli.run import run
from core.errors import CallError, ConfigError
from core.library import Trial
from core.records import Outcome
from lab.topology import Plan

FILES = sorted((EXPERIMENTS / "library").glob("*.yaml"))


def test_what_reverts_another_is_one_run_with_it() -> None:
    found = {group.experiments[0].name: group for group in grouped(FILES, library.LAB_INVENTORY)}
    assert [each.name for each in found["site-down"].experiments] == ["site-down", "site-return"]
    assert [each.name for each in found["vip-dead"].experiments] == ["vip-dead"]
    assert sum(len(group.experiments) for group in found.values()) == len(FILES) >= 20
    backwards = grouped(FILES[::-1], library.LAB_INVENTORY)
    assert {group.files for group in backwards} == {group.files for group in found.values()}


def test_a_bad_file_is_refused_before_anything_is_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.client.up", lambda *_, **__: pytest.fail("a lab was brought up"))
    bad = tmp_path / "bad.yaml"
    bad.write_text(FILES[0].read_text().replace("hold_s", "holds_s"))
    with pytest.raises(ConfigError, match="unknown key"):
        run_all(All(None, (FILES[1], bad), 1, None, None))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--all", "--dry-run"], "--all goes with"),
        (["--all", "--junit", "x.xml"], "--all goes with"),
        ([], "--inventory and EXPERIMENTS are needed, or --all"),
    ],
)
def test_what_does_not_go_together(words: list[str], said: str) -> None:
    done = CliRunner().invoke(run, words)
    assert done.exit_code == 2
    assert said in done.output


def test_flavours_come_one_after_another_and_what_is_known_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each group is run as often as asked; when a lab does not come up, the table of the earlier ones is there."""
    done: list[str] = []

    def once(group: library.Group, _file: Path, enter: library.Enter, found: dict[str, list[Trial]]) -> bool:
        done.append(" ".join(enter([group.experiments[0].name])))
        if len(done) > 3:
            raise OSError("no more")
        for each in group.experiments:
            found[each.name].append(Trial("run", Outcome.PASSED, "", ("x",), True, 0.0))
        return False

    monkeypatch.setattr(library, "once", once)
    two = tuple(path for path in FILES if path.stem in ("vip-dead", "gray-node"))
    asked = All(library.LAB_INVENTORY, two, 2, tmp_path / "all.json", None)
    with pytest.raises(OSError, match="no more"):
        run_all(asked)
    assert done == ["gray-node", "gray-node", "vip-dead", "vip-dead"]
    assert "3 of 3 named rightly" in capsys.readouterr().out
    assert (tmp_path / "all.json").exists()
    done.clear()
    assert run_all(All(library.LAB_INVENTORY, two[:1], 2, None, None)) == 0


def test_a_lab_that_does_not_get_ready_is_replaced_by_one_with_the_same_lifeline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    up: list[int] = []

    class Fake:
        def __init__(self, number: int) -> None:
            self.number = number

        def status(self) -> dict[str, object]:
            return {"missing": [] if self.number else ["the route"]}

        def enter_argv(self, _node: None, argv: list[str]) -> list[str]:
            return [f"lab {self.number}", *argv]

        def down(self) -> None:
            pass

    def bring_up(_name: str, *, lifeline: int, flavours: tuple[str, ...]) -> Fake:
        assert flavours == ("bfd",)
        os.fstat(lifeline)  # raises OSError when it is closed
        up.append(lifeline)
        return Fake(len(up) - 1)

    monkeypatch.setattr("lab.client.up", bring_up)
    monkeypatch.setattr(library, "READY_WITHIN_S", 0.0)
    with library._network(("bfd",), here=False) as network:
        assert network(["x"]) == ["lab 1", "x"]
    assert len(up) == 2
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(up[0])


def test_another_lab_than_the_one_needed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    (group,) = grouped([EXPERIMENTS / "library" / "timer-inversion.yaml"], library.LAB_INVENTORY)
    assert group.flavours == ("bfd", "rhi-bgp")
    with pytest.raises(
        CallError, match=r"needs a lab with bfd, rhi-bgp, and this is no lab with flavours: .*run --all"
    ):
        check_flavours(group.experiments)
    monkeypatch.setattr("lab.flavours.here", lambda: Plan(flavours=("rhi-bgp",)))
    with pytest.raises(CallError, match="needs a lab with bfd, and this is a lab with rhi-bgp"):
        check_flavours(group.experiments)
    monkeypatch.setattr("lab.flavours.here", lambda: Plan(flavours=("bfd", "rhi-bgp", "third-site")))
    check_flavours(group.experiments)
