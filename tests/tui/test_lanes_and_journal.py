"""What is drawn in the lanes, read back from the cells of the screen, against the records of the journal."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict

import pytest

from core.records import Answer, Clock, Drop, Opened, OutageEnded
from tests.tui.recorded import StillApp, drawn, frame_at, records, tape
from tui.draw.lanes import GUTTER, window
from tui.model.history import FINE_NS

SLOTS = 25
WIDTH = 120
Spans = dict[int, list[tuple[int, int]]]


def silences(vantage: str, until_ns: int) -> Spans:
    """Each slot's spans without answer, straight from the records: outages, and from drop to the next session."""
    found: Spans = defaultdict(list)
    down: dict[int, int] = {}
    for record in records():
        if getattr(record, "vantage", "") != vantage or getattr(record, "held_kernel", False):
            continue
        match record:
            case OutageEnded() if record.clock is Clock.DATA_PLANE and not record.self_inflicted:
                found[record.slot].append((record.s_a1_ns, record.s_b_ns))
            case Drop():
                down[record.slot] = record.t_ns
            case Opened() if record.slot in down:
                since_ns = down.pop(record.slot)
                if record.t_ns - since_ns >= 30_000_000:  # three heartbeats
                    found[record.slot].append((since_ns, record.t_ns))
            case _:
                pass
    return {slot: [span for span in spans if span[0] <= until_ns] for slot, spans in found.items()}


def silent_at_once(spans: Spans, begin_ns: int, end_ns: int, slack_ns: int) -> bool:
    """Whether all slots were silent within `slack_ns` of one instant of a cell."""
    edges = sorted({begin_ns, *(edge for mine in spans.values() for span in mine for edge in span)})
    return any(
        sum(any(a - slack_ns <= edge <= b + slack_ns for a, b in mine) for mine in spans.values()) >= SLOTS
        for edge in edges
        if begin_ns <= edge < end_ns
    )


async def lanes_at(at_s: float) -> dict[str, str]:
    app = StillApp()
    async with app.run_test(size=(WIDTH, 40)) as pilot:
        app.show_frame(frame_at(at_s))
        await pilot.pause()
        found: dict[str, str] = {}
        for line in drawn(app):
            if re.match(r" c\d +(ace|nobody|no data|dc|\?)", line):
                found.setdefault(line.split()[0], line.ljust(WIDTH)[GUTTER:WIDTH])
        return found


@pytest.mark.parametrize("at_s", [8.0, 16.0, 22.0, 34.0, 44.0])
def test_nobody_is_drawn_where_nobody_answered_and_nowhere_else(at_s: float) -> None:
    now_ns = tape().begin_ns + round(at_s * 1e9)
    shown = window(now_ns, 60, WIDTH - GUTTER)
    lanes = asyncio.run(lanes_at(at_s))
    assert sorted(lanes) == ["c1", "c2", "c3", "c4"]
    seen = 0
    for vantage, cells in lanes.items():
        spans = silences(vantage, now_ns)
        for column, char in enumerate(cells):
            begin_ns = shown.begin_ns + column * shown.cell_ns
            end_ns = begin_ns + shown.cell_ns
            if end_ns > now_ns - 200_000_000:
                continue  # what has just begun is not in the records yet as it was
            where = f"{vantage} at {(begin_ns - tape().begin_ns) / 1e9:.2f} s: {char!r}"
            if silent_at_once(spans, begin_ns, end_ns, 0):
                assert char == "✖", where
                seen += 1
            elif char == "✖":
                assert silent_at_once(spans, begin_ns - FINE_NS, end_ns + FINE_NS, FINE_NS), where
    assert seen >= (2 if at_s > 7 else 0)


@pytest.mark.parametrize("at_s", [16.0, 24.0, 34.0])
def test_the_sign_of_a_cell_is_that_of_who_answered(at_s: float) -> None:
    now_ns = tape().begin_ns + round(at_s * 1e9)
    shown = window(now_ns, 60, WIDTH - GUTTER)
    signs = {"░": ("dc1", "ace1"), "▒": ("dc1", "ace2"), "▓": ("dc2", "ace3"), "█": ("dc2", "ace4")}
    checked = 0
    for vantage, cells in asyncio.run(lanes_at(at_s)).items():
        for column, char in enumerate(cells):
            end_ns = shown.begin_ns + (column + 1) * shown.cell_ns
            if char in signs and end_ns <= now_ns:
                last: dict[int, Answer] = {}
                for record in records():
                    if isinstance(record, Answer) and record.vantage == vantage and record.t_ns < end_ns:
                        last[record.slot] = record
                answered = [(answer.site, answer.node) for answer in last.values()]
                assert signs[char] == max(set(answered), key=answered.count), (vantage, column)
                checked += 1
    assert checked > 60
