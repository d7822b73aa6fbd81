"""Draws the pictures of the README from the recorded run of the tests: `make pictures`."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.tui.recorded import StillApp, frame_at  # noqa: E402  the path to it is only known now

TARGET = ROOT / "docs" / "pictures"
PICTURES = (
    # name, instant of the run in s, size, seconds in the lanes, keys
    ("live", 20.6, (120, 36), 20, ()),
    ("event", 25.4, (120, 36), 60, ("2", "enter")),
    ("narrow", 20.6, (80, 24), 20, ()),
)
_FOREIGN_FONT = re.compile(r"@font-face\s*\{[^}]*\}", re.DOTALL)
"""A picture asks no other site for a font; any monospaced one will do."""


async def draw(name: str, at_s: float, size: tuple[int, int], span_s: int, keys: tuple[str, ...]) -> None:
    """Write one picture."""
    app = StillApp()
    async with app.run_test(size=size) as pilot:
        app.seen.span_s = span_s
        app.show_frame(frame_at(at_s))
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        await pilot.pause()
        svg = _FOREIGN_FONT.sub("", app.export_screenshot(title=f"vipchaos watch, {size[0]}x{size[1]}"))
    # The names of classes in the picture are chosen anew each time; the same picture shall give the same bytes.
    svg = re.sub(r"terminal-\d+", f"vipchaos-{name}", svg).replace("Fira Code", "DejaVu Sans Mono")
    TARGET.mkdir(exist_ok=True)
    (TARGET / f"{name}.svg").write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")


def main() -> None:
    """Draw them all."""
    for picture in PICTURES:
        asyncio.run(draw(*picture))
    print(f"{TARGET}: {', '.join(name for name, *_ in PICTURES)}")


if __name__ == "__main__":
    main()
