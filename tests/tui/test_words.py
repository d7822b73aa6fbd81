"""Filters, the viewer's clock, figures in words, the keymap."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from tui.keys import EVERYWHERE, load_keymap
from tui.model.clock import SPEEDS, Clock, parse_seek
from tui.model.filter import FilterError, matcher, parse
from tui.model.words import countdown, instant, percent, seconds, zone_name
from tui.screens.table import all_bindings

COLUMNS = ["vantage", "state", "node"]
ROWS = [("c1", "answered", "ace1"), ("c2", "silent", "ace2"), ("c10", "down", "?")]
SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ["c1", "c2", "c10"]),
        ("ace", ["c1", "c2"]),
        ("!ace", ["c10"]),
        ("vantage:^c1$", ["c1"]),
        ("van:c1 !state:down", ["c1"]),
        ("ACE1|down", ["c1", "c10"]),
        ("node:ace state:silent", ["c2"]),
    ],
)
def test_filter(text: str, wanted: list[str]) -> None:
    fits = matcher(parse(text, COLUMNS), COLUMNS)
    assert [row[0] for row in ROWS if fits(row)] == wanted


@pytest.mark.parametrize(("text", "why"), [("(", "no regular expression"), ("colour:red", "there are: vantage, state")])
def test_a_filter_that_is_none_says_why(text: str, why: str) -> None:
    with pytest.raises(FilterError, match=why):
        parse(text, COLUMNS)


@given(st.text(alphabet="ac12!:. ", max_size=12))
def test_a_filter_and_its_inverse_share_no_row(text: str) -> None:
    word = text.replace(" ", "").replace("!", "").replace(":", "")
    if word:
        fits, misses = (matcher(parse(mine, COLUMNS), COLUMNS) for mine in (word, f"!{word}"))
        assert [fits(row) for row in ROWS] == [not misses(row) for row in ROWS]


def test_a_live_view_halts_and_goes_back_to_the_present() -> None:
    clock = Clock(0, 100 * SECOND)
    assert clock.live
    halted = clock.pause(5, 70 * SECOND)
    assert halted.now(999 * SECOND) == 70 * SECOND
    assert halted.seek(60 * SECOND, 0).now(999) == 60 * SECOND
    assert halted.go(0, running=True).live


def test_a_replay_goes_at_its_speed_and_stops_at_the_end() -> None:
    clock = Clock(10 * SECOND, 40 * SECOND, at_ns=10 * SECOND, since_ns=0)
    assert clock.now(3 * SECOND) == 13 * SECOND
    fast = clock.faster(2, 3 * SECOND)
    assert fast.speed == SPEEDS[SPEEDS.index(1.0) + 2]
    assert fast.now(5 * SECOND) == 23 * SECOND
    assert fast.now(500 * SECOND) == 40 * SECOND
    assert fast.over(500 * SECOND)
    assert fast.seek(-5, 0).now(0) == 10 * SECOND
    again = fast.seek(40 * SECOND, 0).go(7, running=False)
    assert again.now(7) == 10 * SECOND


@pytest.mark.parametrize(
    ("text", "wanted_s"),
    [("+5", 35), ("-2.5", 27.5), ("12", 22), ("1:05", 75), ("0:00:40", 1040), ("", None), ("x", None), ("1:70", None)],
)
def test_seek(text: str, wanted_s: float | None) -> None:
    found = parse_seek(text, 30 * SECOND, 10 * SECOND, -1000 * SECOND, 0)
    assert found == (None if wanted_s is None else round(wanted_s * SECOND))


def test_figures() -> None:
    assert [seconds(round(s * 1e9)) for s in (0.516, 12.34, 200, 4000)] == [
        "0.52 s",
        "12.3 s",
        "3 min 20 s",
        "1 h 06 min",
    ]
    assert [percent(part) for part in (0.0, 0.0001, 0.5, 0.99999, 1.0)] == [
        "0.0 %",
        "<0.1 %",
        "50.0 %",
        "99.9 %",
        "100.0 %",
    ]
    assert countdown(18_100_000_000) == "19 s"
    assert instant(1_999_999_999, UTC, 3) == "00:00:01.999"
    assert zone_name(UTC) == "UTC"
    assert zone_name(timezone(timedelta(hours=-3, minutes=-30))) == "-03:30"


def test_every_binding_has_an_id_of_its_own_and_no_key_does_two_things_everywhere() -> None:
    assert all(binding.id for binding in all_bindings())
    assert max(Counter(binding.id for binding in all_bindings()).values()) == 1
    keys = [key for binding in EVERYWHERE for key in binding.key.split(",")]
    assert max(Counter(keys).values()) == 1


def test_a_keymap_is_read(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text("time.pause: p, space\nlist.down: n,down\n")
    assert load_keymap(path, all_bindings()) == {"time.pause": "p,space", "list.down": "n,down"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("time.paus: p\n", "keys.yaml:1: time.paus: is no binding"),
        ("zoo: [a]\n", "is no binding"),
        ("quit: u\n", "has the key u"),
        ("quit: []\n", "is no key"),
    ],
)
def test_a_keymap_that_is_wrong_says_where(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=why):
        load_keymap(path, all_bindings())
