"""All experiments of a library, one after another, each a run of its own; labs come and go as they need them."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from chaos.drivers import DECLARED
from cli import EXPERIMENTS
from cli.inside import controlled, controller_argv
from cli.output import check_writable, write_whole
from cli.verdict import judge_run
from core.errors import CallError
from core.exit_codes import EXIT_CODES
from core.experiment import Experiment
from core.library import Row, Trial, expected, trial
from core.loader import load_experiments, load_inventory, read_text
from core.records import Outcome
from core.trials import worst
from core.yaml_nodes import Problems, Scalar, parse
from dashboards.report.library import library_document, library_page, library_text
from lab import client
from lab.client import Lab
from store.runs import RunDirectory, home

LAB_INVENTORY = EXPERIMENTS / "library" / "lab" / "inventory.yaml"
READY_WITHIN_S = 20.0
Enter = Callable[[list[str]], list[str]]
"""Makes of a command the one that runs it where the network is."""


@dataclass(frozen=True, slots=True)
class All:
    """What is asked for. Without an inventory each experiment is run on a lab of its flavours."""

    inventory: Path | None
    files: tuple[Path, ...]
    trials: int
    json_file: Path | None
    markdown_file: Path | None


@dataclass(frozen=True, slots=True)
class Group:
    """Experiments that are one run: one, and those that revert it."""

    files: tuple[Path, ...]
    experiments: tuple[Experiment, ...]

    @property
    def flavours(self) -> tuple[str, ...]:
        """The flavours of the lab that they need."""
        return self.experiments[0].flavours


def run_all(asked: All) -> int:
    """Run every experiment, print one table, and return the worst outcome's exit code. Raises VipchaosError."""
    check_writable(asked.json_file, asked.markdown_file)
    inventory_file = asked.inventory or LAB_INVENTORY
    groups = grouped(asked.files or tuple(sorted((EXPERIMENTS / "library").glob("*.yaml"))), inventory_file)
    found: dict[str, list[Trial]] = {each.name: [] for group in groups for each in group.experiments}
    try:
        _run_groups(groups, asked, inventory_file, found)
    finally:
        # Also where a lab does not come up: what the earlier ones gave is told.
        code = _publish(asked, groups, found)
    return code


def _run_groups(groups: Sequence[Group], asked: All, inventory_file: Path, found: dict[str, list[Trial]]) -> None:
    """Run each group as often as is asked for, those of one lab after another, until somebody stops one."""
    of, begun = len(groups) * asked.trials, 0
    for flavours in dict.fromkeys(group.flavours for group in groups):
        with _network(flavours, here=asked.inventory is not None) as network:
            mine = [group for group in groups if group.flavours == flavours]
            for group in (group for group in mine for _ in range(asked.trials)):
                begun += 1
                click.echo(f"[{begun}/{of}] {' and '.join(each.name for each in group.experiments)}", err=True)
                if once(group, inventory_file, network, found):
                    return


def grouped(files: Sequence[Path], inventory_file: Path) -> list[Group]:
    """Return what is run together, as the files are in order; bad files are refused before anything is touched."""
    inventory = load_inventory(inventory_file)
    of: dict[str, list[Path]] = {}
    later: list[tuple[str, Path]] = []
    for path in files:
        name, reverts = _said(path, "name"), _said(path, "reverts")
        if reverts:
            later.append((reverts, path))
        else:
            of[name or str(path)] = [path]
    for reverts, path in later:
        of.setdefault(reverts, []).append(path)
    return [Group(tuple(mine), load_experiments(mine, inventory, DECLARED)) for mine in of.values()]


def _said(path: Path, key: str) -> str:
    """Return the text at a key of a file, or '' where the loader will have more to say about it."""
    root = parse(read_text(path), Problems(str(path)))
    value = root.entries[key][1] if root is not None and key in root.entries else None
    return value.text if isinstance(value, Scalar) else ""


class _Labs:
    """The lab of some flavours; another one of the same in its place when it does not become ready again."""

    def __init__(self, flavours: tuple[str, ...], lifeline: int) -> None:
        self._flavours, self._lifeline = flavours, lifeline
        self._count = 0
        self.lab = self._up()

    def _up(self) -> Lab:
        self._count += 1
        started_s = time.monotonic()
        found = client.up(f"library-{os.getpid()}-{self._count}", lifeline=self._lifeline, flavours=self._flavours)
        of = f" with {', '.join(self._flavours)}" if self._flavours else ""
        click.echo(f"lab{of}: ready after {time.monotonic() - started_s:.1f} s", err=True)
        return found

    def enter(self, argv: list[str]) -> list[str]:
        """See `Enter`."""
        until_s = time.monotonic() + READY_WITHIN_S
        missing: object = self.lab.status()["missing"]
        while missing and time.monotonic() < until_s:
            time.sleep(0.5)
            missing = self.lab.status()["missing"]
        if missing:
            click.echo(f"lab: another one, for this one does not get ready: {missing}", err=True)
            self.lab.down()
            self.lab = self._up()
        return self.lab.enter_argv(None, argv)


@contextlib.contextmanager
def _network(flavours: tuple[str, ...], here: bool) -> Iterator[Enter]:
    if here:
        yield lambda argv: argv
        return
    read_end, write_end = os.pipe()
    try:
        labs = _Labs(flavours, read_end)  # which gives the read end to a lab that takes the first one's place, too
        try:
            yield labs.enter
        finally:
            labs.lab.down()
    finally:
        os.close(read_end)
        os.close(write_end)


def once(group: Group, inventory_file: Path, enter: Enter, found: dict[str, list[Trial]]) -> bool:
    """Do one run and add what it gave; return whether somebody has stopped it."""
    before = set((home() / "runs").glob("*"))
    name = group.experiments[0].name
    arguments = ["--quiet", "--name", name, "--inventory", str(inventory_file.resolve())]
    arguments += [str(path.resolve()) for path in group.files]
    code = controlled(enter(controller_argv(arguments)))
    new = [path for path in set((home() / "runs").glob(f"*-{name}-*")) - before if path.is_dir()]
    if not new:
        raise CallError(f"{name}: the run did not begin (exit code {code})")
    judged = judge_run(RunDirectory(max(new)))
    for experiment in group.experiments:
        found[experiment.name].append(trial(judged.run, judged.verdict, experiment))
    return judged.verdict.reason_code == "stopped"


def _publish(asked: All, groups: Sequence[Group], found: dict[str, list[Trial]]) -> int:
    """Write what was asked for, print the table, and return the exit code."""
    rows = [
        Row(each.name, each.title, each.flavours, expected(each), tuple(found[each.name]))
        for group in groups
        for each in group.experiments
        if found[each.name]
    ]
    if not rows:
        return EXIT_CODES[Outcome.INCONCLUSIVE]
    if asked.json_file:
        write_whole(asked.json_file, json.dumps(library_document(rows), indent=2) + "\n")
    if asked.markdown_file:
        write_whole(asked.markdown_file, library_page(rows))
    click.echo(library_text(rows), nl=False)
    return EXIT_CODES[worst([each.outcome for row in rows for each in row.trials])]
