"""What several rooms' tests share: a home of their own, and a lab for the session."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from lab import client

ROOT = Path(__file__).resolve().parent.parent
settings.register_profile("house", deadline=None)  # what is slow is the machine, which has other work
settings.load_profile("house")


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep runs and labs of the tests away from the user's."""
    path = tmp_path_factory.mktemp("home")
    before = os.environ.get("VIPCHAOS_HOME")
    os.environ["VIPCHAOS_HOME"] = str(path)
    yield path
    os.environ.pop("VIPCHAOS_HOME")
    if before is not None:
        os.environ["VIPCHAOS_HOME"] = before


@pytest.fixture(scope="session")
def lab(home: Path) -> Iterator[client.Lab]:
    """A lab that is up; every test leaves it as it found it."""
    assert home.exists()
    found = client.up("tests")
    yield found
    found.down()


@pytest.fixture(scope="session")
def inside(lab: client.Lab) -> Callable[..., str]:
    """Runs a command at a node of the lab (None: among all) and returns what it prints; it must succeed."""

    def run(node: str | None, *argv: str) -> str:
        done = subprocess.run(
            lab.enter_argv(node, argv),
            capture_output=True,
            text=True,
            check=False,
            env=client.environment(),
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
