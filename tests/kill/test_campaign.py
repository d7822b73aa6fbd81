"""A short cut of `make kill-test`: one kill of each who takes part in a fault, while it is out."""

from __future__ import annotations

import pytest

from lab import client
from tests.kill.__main__ import VICTIMS, one


@pytest.mark.parametrize("victim", VICTIMS)
def test_kill_9_leaves_the_network_as_it_was(lab: client.Lab, victim: str) -> None:
    trial = one(lab, victim, ("link", "kill"), after_s=0.8)
    assert trial.killed
    assert trial.problems == ()
