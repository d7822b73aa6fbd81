"""A namespace with two links that are up: the network that faults of these tests are injected into."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from core.inventory import Host


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
