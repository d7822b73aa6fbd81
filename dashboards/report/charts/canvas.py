"""What all charts have in common: a figure, its style in stand-in colours, its tooltips, and the way to SVG."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator

from dashboards.report.svg import ROLES, for_page

WIDTH_IN = 11.0
_LETTER_IN = 0.078
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400)
_MOST_TICKS = 12
STYLE: dict[Any, object] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "vipchaos",
    "text.parse_math": False,  # a name with dollars in it is a name
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "hatch.linewidth": 0.9,
    "axes.edgecolor": ROLES["grid"],
    "axes.labelcolor": ROLES["muted"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": ROLES["muted"],
    "ytick.color": ROLES["ink"],
    "text.color": ROLES["ink"],
    "grid.color": ROLES["grid"],
    "grid.linewidth": 0.6,
}


class Chart:
    """One drawing: a figure of a height, the tooltips of its marks, and the way to SVG."""

    def __init__(self, name: str, height_in: float, labels: Iterable[str], width_in: float = WIDTH_IN) -> None:
        self.name = name
        self.figure = Figure(figsize=(width_in, height_in))
        # Margins by hand: the library's own layout draws everything several times.
        left_in = 0.25 + _LETTER_IN * max(map(len, labels), default=0)
        self.figure.subplots_adjust(
            left=left_in / width_in,
            right=1 - 0.12 / width_in,
            bottom=0.42 / height_in,
            top=1 - 0.06 / height_in,
            hspace=0.18,
        )
        self._tips: dict[int, str] = {}

    def tip(self, artist: mpl.artist.Artist, words: str) -> None:
        """Let a mark say `words` when it is pointed at."""
        number = len(self._tips)
        artist.set_gid(f"tip-{number}")
        self._tips[number] = words

    def svg(self, about: str) -> str:
        """Return the drawing as an element for the page."""
        text = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        with warnings.catch_warnings():
            # Text is set by the browser, whose fonts have more letters than the one that is measured with here.
            warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from font")
            self.figure.savefig(text, format="svg", transparent=True, metadata=nothing)
        return for_page(text.getvalue(), self.name, self._tips, about)


def clock_time(seconds: float, _: object = None) -> str:
    """Return seconds as minutes and seconds, as hours and minutes from an hour on."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
    return f"{whole // 60}:{whole % 60:02}"


def time_axis(axes: Axes, length_s: float) -> None:
    """Let an axis count the time of a run, `length_s` of it."""
    step_s = next((step for step in _STEPS_S if length_s / step <= _MOST_TICKS), 86_400)
    axes.xaxis.set_major_locator(MultipleLocator(step_s))
    axes.xaxis.set_major_formatter(FuncFormatter(clock_time))
