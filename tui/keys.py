"""The keys: every binding has an id, and a YAML file may give it others. Two on one key are refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from textual.binding import Binding

from core.loader import read_text
from core.yaml_nodes import Problems, Scalar, parse

SCREENS = (
    ("1", "live", "Live"),
    ("2", "failovers", "Failovers"),
    ("3", "sessions", "Sessions"),
    ("4", "chaos", "Chaos"),
    ("5", "runs", "Runs"),
    ("6", "health", "Health"),
)
EVERYWHERE = [
    *[Binding(key, f"go('{name}')", title, show=False, id=f"screen.{name}") for key, name, title in SCREENS],
    Binding("question_mark,f1", "keys", "What the keys do", show=False, id="help"),
    Binding("slash", "filter", "Filter rows", show=False, id="filter"),
    Binding("colon", "command_palette", "Palette of commands", show=False, id="palette"),
    Binding("space", "pause", "Halt the view, or go on (the recording always goes on)", show=False, id="time.pause"),
    Binding("left_square_bracket", "step(-1)", "A second back", show=False, id="time.back"),
    Binding("right_square_bracket", "step(1)", "A second on", show=False, id="time.on"),
    Binding("left_curly_bracket", "event(-1)", "To the fault before", show=False, id="time.fault_before"),
    Binding("right_curly_bracket", "event(1)", "To the next fault", show=False, id="time.fault_next"),
    Binding("S", "seek", "To an instant", show=False, id="time.seek"),
    Binding("less_than_sign", "speed(-1)", "Replay slower", show=False, id="time.slower"),
    Binding("greater_than_sign", "speed(1)", "Replay faster", show=False, id="time.faster"),
    Binding("equals_sign", "zoom(-1)", "Shorter span of time", show=False, id="time.zoom_in"),
    Binding("minus", "zoom(1)", "Longer span of time", show=False, id="time.zoom_out"),
    Binding("0", "zoom(0)", "The usual span of time", show=False, id="time.zoom_reset"),
    Binding("u", "zone", "UTC or local time", show=False, id="time.zone"),
    Binding("E", "export", "Export what is seen", show=False, id="export"),
    Binding("M", "maximise", "Maximise the part in focus, or the lanes", show=False, id="maximise"),
    Binding("t", "theme", "Next theme", show=False, id="theme"),
    Binding("K", "kill", "Kill switch: revert everything, block new faults", show=False, id="kill"),
    # Where a line is typed K is a letter; this key works there too.
    Binding("f9", "kill", "Kill switch, also while a line is typed", show=False, id="kill.always", priority=True),
    Binding("escape", "leave", "Back, or clear the filter", show=False, id="back"),
    Binding("q", "quit", "Leave", show=False, id="quit"),
]


def load_keymap(path: Path, bindings: Iterable[Binding]) -> Mapping[str, str]:
    """Return the keymap in a YAML file: `id: keys`, several keys set apart by commas. Raises ConfigError.

    `bindings` are all that there are, `EVERYWHERE` included.
    """
    problems = Problems(str(path))
    root = parse(read_text(path), problems)
    known = {binding.id: binding for binding in bindings if binding.id}
    keymap: dict[str, str] = {}
    for name, (key, value) in (root.entries if root else {}).items():
        if name not in known:
            problems.add(key.line, name, "is no binding", f"an id that `?` shows: {', '.join(sorted(known))}")
        elif not isinstance(value, Scalar) or not value.text.strip():
            problems.add(key.line, name, "is no key", "keys as text, such as j or ctrl+d,pagedown")
        else:
            keymap[name] = ",".join(part.strip() for part in value.text.split(","))
    taken: dict[str, str] = {}
    for name, binding in known.items():
        for each in keymap.get(name, binding.key).split(","):
            other = taken.setdefault(each, name)
            # A list's keys may be those of a screen: the part in focus has them first.
            if other != name and (name in keymap or other in keymap):
                line = root.entries[name if name in keymap else other][0].line if root else 1
                problems.add(line, name, f"has the key {each}, which {other} has too", "a key for one of them")
    problems.raise_if_any()
    return keymap
