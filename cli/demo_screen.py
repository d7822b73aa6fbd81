"""The demo on a terminal: the controller works out of sight, and the screens show its run; the table comes after."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol

import click

from cli.inside import END_WAIT_S, controller_argv
from cli.terminal import restore
from tui.edge.newest import newest_run

BEGIN_WITHIN_S = 30.0
LOOK_S = 0.1


class Enterable(Protocol):
    """A lab, as far as it is needed here."""

    def enter_argv(self, node: str | None, argv: Sequence[str]) -> list[str]:
        """Return the command that runs `argv` inside."""
        ...


def wanted(chosen: bool | None) -> bool:
    """Return whether the screens are to open: as chosen, else where there is a terminal to draw on."""
    terminal = (
        all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)) and os.environ.get("TERM") != "dumb"
    )
    if chosen and not terminal:
        raise click.UsageError("--watch needs a terminal; without it plain lines are printed")
    return terminal if chosen is None else chosen


def show(lab: Enterable, arguments: list[str]) -> int:
    """Run the controller inside `lab` with the screens open; return its exit code.

    Who leaves the screens early gets plain lines until the run is over; Ctrl-C ends the run in order.
    """
    before = newest_run()
    if "NO_COLOR" not in os.environ and not {"--color", "--no-color"} & set(arguments):
        arguments = ["--color", *arguments]
    with tempfile.TemporaryFile() as table, tempfile.TemporaryFile() as words:
        argv = lab.enter_argv(None, controller_argv(arguments))
        child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=table, stderr=words, start_new_session=True)
        previous = {number: signal.signal(number, lambda *_: _end(child)) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            path = _begun(before, child)
            if path is not None:
                _watch(lab, path)
            if child.poll() is None:
                click.echo("the run goes on; Ctrl-C ends it in order", err=True)
            code = _follow(child, words)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            _end(child)
            try:
                child.wait(END_WAIT_S)
            except subprocess.TimeoutExpired:
                child.kill()
        table.seek(0)
        click.echo(table.read().decode(errors="replace"), nl=False)
    return code


def _end(child: subprocess.Popen[bytes]) -> None:
    """Close the lifeline: the one order that reaches the controller through every namespace."""
    if child.stdin is not None and not child.stdin.closed:
        child.stdin.close()


def _begun(before: Path | None, child: subprocess.Popen[bytes]) -> Path | None:
    """Return the directory of the run once it has begun; None when the controller ends without."""
    until_s = time.monotonic() + BEGIN_WITHIN_S
    while time.monotonic() < until_s and child.poll() is None:
        newest = newest_run()
        if newest is not None and newest != before:
            return newest
        time.sleep(LOOK_S)
    return None


def _watch(lab: Enterable, path: Path) -> None:
    """Open the screens inside the lab, where its leases and its kill switch are; return when they are left."""
    saved = termios.tcgetattr(sys.stdin.fileno())
    try:
        subprocess.run(lab.enter_argv(None, [sys.executable, "-m", "cli", "watch", str(path)]), check=False)
    finally:
        restore(saved)


def _follow(child: subprocess.Popen[bytes], words: IO[bytes]) -> int:
    """Print what the controller says from now on, until it has ended; return its exit code."""
    told = os.fstat(words.fileno()).st_size if child.poll() is None else 0
    while True:
        code = child.poll()
        said = os.pread(words.fileno(), 1 << 20, told)
        told += len(said)
        if code is None or code not in (0, 1):
            click.echo(said.decode(errors="replace"), err=True, nl=False)
        if code is not None:
            return code
        time.sleep(LOOK_S)
