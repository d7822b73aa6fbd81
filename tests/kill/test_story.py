"""The story of a fault: each way that it may go is whole, and each step that is missing is a gap."""

from __future__ import annotations

import pytest

from core.records import FaultPhase, FaultStep
from tests.kill.story import gaps, reached

WHOLE = "planned armed injecting injected proven reverting reverted revert_proven"


def steps(words: str) -> list[FaultStep]:
    return [FaultStep(number, "e", "f", "l", FaultPhase(word)) for number, word in enumerate(words.split())]


@pytest.mark.parametrize(
    "words",
    [
        "",
        "planned",
        WHOLE,
        "planned armed reverting reverted revert_proven",
        "planned reverting reverted revert_proven",
        "planned armed injecting injected not_proven reverting reverted revert_proven",
        "planned armed injecting reverting revert_failed reverting reverted revert_proven",
        "planned armed injecting injected reverting reverting reverted revert_proven",
        WHOLE + " reverting reverted revert_proven",
    ],
)
def test_a_whole_story(words: str) -> None:
    assert gaps(steps(words)) == []


@pytest.mark.parametrize("missing", ["planned", "armed", "injecting", "injected", "reverting", "reverted"])
def test_a_step_that_is_left_out_is_a_gap(missing: str) -> None:
    assert gaps(steps(" ".join(word for word in WHOLE.split() if word != missing)))


@pytest.mark.parametrize("last", WHOLE.split()[1:-1])
def test_one_that_ends_before_the_proven_revert_has_a_gap(last: str) -> None:
    words = WHOLE.split()
    assert gaps(steps(" ".join(words[: words.index(last) + 1]))) == [f"l.f: ends with {last}"]


def test_the_last_step_that_was_told() -> None:
    assert reached([]) == "before the lease"
    assert reached(steps("planned armed")) == "armed"
