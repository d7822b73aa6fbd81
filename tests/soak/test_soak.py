"""The short cut of `make soak`, and that its line finds growth."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.soak.growth import HOUR_S, Sample, growth

ROOT = Path(__file__).resolve().parents[2]
MB = 1_000_000


def test_a_short_soak_is_flat() -> None:
    # With so many sessions the flight recorder has filled its room, once and for all, before the half that counts.
    argv = [sys.executable, "-m", "tests.soak", "--seconds", "20", "--sessions", "4000"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "flat: memory, files and sessions stayed" in done.stdout
    assert " drops 0," in done.stdout


@given(st.integers(-20, 20), st.integers(0, 100_000))
def test_the_line_is_that_of_the_second_half(mb_an_hour: int, noise: int) -> None:
    filling = [Sample(second, 50 * MB + second * 10_000) for second in range(0, 1_800, 10)]
    samples = [
        Sample(second, 100 * MB + round(mb_an_hour * MB * second / HOUR_S) + (noise if second % 20 else -noise))
        for second in range(1_800, 3_600, 10)
    ]
    found = growth([*filling, *samples])
    assert abs(found.an_hour / MB - mb_an_hour) < 0.1
    assert found.flat == (mb_an_hour <= 4) or abs(mb_an_hour - 4) <= 1


def test_a_short_run_may_not_grow_by_more_than_its_share() -> None:
    assert growth([Sample(second, 100 * MB + second * 100_000) for second in range(20)]).flat
    assert not growth([Sample(second, 100 * MB + second * 300_000) for second in range(20)]).flat
