"""The audit's chain: whatever is changed, put in, taken out or swapped shows; a torn line breaks nothing."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from core.audit import Broken, Entry, entries, last_entry, seal

VALUES = st.dictionaries(st.text(max_size=5), st.one_of(st.text(max_size=5), st.integers(), st.floats(allow_nan=False)))


def chain(bodies: list[dict[str, object]]) -> list[str]:
    lines: list[str] = []
    last: Entry | None = None
    for number, values in enumerate(bodies):
        last, line = seal(last, number, "me", "armed", values)
        lines.append(line)
    return lines


def problems(lines: list[str]) -> list[Broken]:
    return [found for found in entries(lines) if isinstance(found, Broken)]


@given(st.lists(VALUES, max_size=6))
def test_as_written_it_holds(bodies: list[dict[str, object]]) -> None:
    lines = chain(bodies)
    assert problems(lines) == []
    read = [found for found in entries(lines) if isinstance(found, Entry)]
    assert [entry.values for entry in read] == bodies
    assert last_entry(reversed(lines)) == (read[-1] if read else None)


@given(st.lists(VALUES, min_size=3, max_size=6), st.data())
def test_any_change_inside_shows(bodies: list[dict[str, object]], data: st.DataObject) -> None:
    lines = chain(bodies)
    at = data.draw(st.integers(0, len(lines) - 2))
    how = data.draw(st.sampled_from(["out", "twice", "swap", "value", "resealed", "number"]))
    changed = list(lines)
    match how:
        case "out":
            del changed[at]
        case "twice":
            changed.insert(at, changed[at])
        case "swap":
            changed[at], changed[at + 1] = changed[at + 1], changed[at]
        case "resealed":
            # Somebody who knows the form and writes a new entry in its place, with a hash that fits it.
            before = last_entry(reversed(lines[:at]))
            changed[at] = seal(before, 99, "me", "armed", {"other": 1})[1]
        case _:
            body = json.loads(changed[at])
            body["wall_ns" if how == "value" else "n"] += 1
            changed[at] = json.dumps(body)
    assert any(not found.torn for found in problems(changed))


@given(st.lists(VALUES, min_size=1, max_size=4), st.integers(1, 40))
def test_a_torn_line_is_told_and_breaks_nothing(bodies: list[dict[str, object]], length: int) -> None:
    lines = chain(bodies)
    torn = lines[-1][:length]
    _, following = seal(last_entry(reversed(lines)), 9, "me", "armed", {})
    found = problems([*lines, torn, following])
    assert [(item.line, item.torn) for item in found] == [(len(lines) + 1, True)]
