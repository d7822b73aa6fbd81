"""Namespaces that faults of these tests are injected into: one with two links that are up, and one behind an sshd."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos import ssh
from core.inventory import Host
from tests.chaos.sshd import Sshd


@pytest.fixture
def host() -> Iterator[Host]:
    """A namespace with two links that are up."""
    name = f"vct{os.getpid()}"
    for argv in (
        ["netns", "add", name],
        ["-n", name, "link", "add", "left", "type", "veth", "peer", "name", "right"],
        ["-n", name, "link", "set", "left", "up"],
        ["-n", name, "link", "set", "right", "up"],
    ):
        subprocess.run(["ip", *argv], check=True)
    yield Host("box", "netns", name)
    subprocess.run(["ip", "netns", "del", name], check=True)


@pytest.fixture
def beside(host: Host) -> Iterator[str]:
    """A namespace beside that of `host`."""
    name = f"{host.target}b"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "del", name], check=True)


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory with a path that is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="vc") as name:
        yield Path(name)


@pytest.fixture
def sshd(host: Host, beside: str, short: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """An sshd in the namespace of `host`; `ssh` reaches it from the namespace beside."""
    found = Sshd(host.target, beside, short)
    monkeypatch.setenv("PATH", found.path)
    monkeypatch.setattr(ssh, "CONTROL", short / "control")
    try:
        found.start()
        yield found
    finally:
        found.stop()
