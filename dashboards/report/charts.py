"""The charts of the report, drawn ahead as SVG: the one door to Matplotlib. Every figure comes from the view."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from dashboards.report.svg import HUES, ROLES, for_page
from dashboards.report.view import NO_ANSWER, NO_TELEMETRY, Bound, Curve, Gap, Lane, Lanes, Marker, RttLine, Span, Who

WIDTH_IN = 11.0
_LETTER_IN = 0.078
_HATCHES = ("", "////", "....", "xxxx", "||||")
_CLOCKS = ("data plane", "new connections", "held kernel session")
_MARKS = ("o", "s", "^")
_DASHES = ("-", "--", "-.", ":")
_MOST_VANTAGES = 12
_LETTER = 0.0078
"""So much of a lane's width one letter takes."""
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400)
_MOST_TICKS = 12
_STYLE: dict[Any, object] = {
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


class _Chart:
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


# --- lanes ----------------------------------------------------------------------------------------------------


def draw_lanes(name: str, lanes: Lanes, who: Sequence[Who], about: str, overview: bool) -> str:
    """Draw who answered each vantage over time, the outages below it, and the faults across."""
    with mpl.rc_context(_STYLE):
        height_in = 0.55 + 0.5 * len(lanes.lanes) + (0.28 if overview else 0.0)
        chart = _Chart(name, height_in, [lane.vantage for lane in lanes.lanes])
        axes = chart.figure.subplots()
        faces = {each.label: (ROLES[_face(each)], _hatch(each)) for each in who}
        for row, lane in enumerate(lanes.lanes):
            _lane(chart, axes, row, lane, lanes, faces)
        _faults(chart, axes, lanes, overview)
        axes.set_xlim(lanes.from_s, lanes.until_s)
        axes.set_ylim(len(lanes.lanes) - 0.05, -0.55 if overview else -0.12)
        axes.set_yticks([row + 0.31 for row in range(len(lanes.lanes))], [lane.vantage for lane in lanes.lanes])
        axes.tick_params(axis="y", length=0, labelsize=10)
        axes.spines["left"].set_visible(False)
        if overview:
            _time_axis(axes, lanes.until_s - lanes.from_s)
        else:
            axes.xaxis.set_major_locator(MaxNLocator(10))
        axes.set_xlabel("minutes:seconds since the run began" if overview else "seconds after the event")
        return chart.svg(about)


def _time_axis(axes: Axes, length_s: float) -> None:
    step_s = next((step for step in _STEPS_S if length_s / step <= _MOST_TICKS), 86_400)
    axes.xaxis.set_major_locator(MultipleLocator(step_s))
    axes.xaxis.set_major_formatter(FuncFormatter(clock_time))


def _face(who: Who) -> str:
    return f"who{who.hue % HUES}{'b' if who.pattern % 2 else 'a'}"


def _hatch(who: Who) -> str:
    return "----" if who.pattern < 0 else _HATCHES[who.pattern % len(_HATCHES)]


def _lane(chart: _Chart, axes: Axes, row: int, lane: Lane, lanes: Lanes, faces: Mapping[str, tuple[str, str]]) -> None:
    labels = dict.fromkeys(name for span in lane.spans for name, _ in span.parts)
    order = [name for name in [*faces, NO_ANSWER, NO_TELEMETRY] if name in labels]
    for name in order:
        face, hatch = faces.get(name, (ROLES["paper"], "xxxxx"))
        edge = ROLES["hatch"]
        if name == NO_ANSWER:
            edge = ROLES["silent"]
        elif name == NO_TELEMETRY:
            face, hatch, edge = ROLES["untold"], "....", ROLES["muted"]
        patch = PathPatch(_area(lane.spans, order, name, row), facecolor=face, edgecolor=edge, hatch=hatch, linewidth=0)
        patch.set_clip_on(False)
        axes.add_patch(patch)
        chart.tip(patch, f"{lane.vantage}: {name}")
    _names(axes, row, lane, lanes)
    shown_s = -1e18
    for gap in lane.gaps:
        room = gap.until_s - shown_s > 0.1 * (lanes.until_s - lanes.from_s)
        _gap(chart, axes, row, lane.vantage, gap, lanes, named=room)
        shown_s = gap.until_s if room else shown_s


def _area(spans: Sequence[Span], order: Sequence[str], name: str, row: int) -> Path:
    """Return where one label's share lies in a lane of height 0.62, as rectangles; neighbours of one height are one."""
    boxes: list[tuple[float, float, float, float]] = []
    for span in spans:
        shares = dict(span.parts)
        if name not in shares:
            continue
        low = sum(shares.get(each, 0.0) for each in order[: order.index(name)])
        top, bottom = row + 0.62 * (1 - min(1.0, low + shares[name])), row + 0.62 * (1 - min(1.0, low))
        if boxes and boxes[-1][1] == span.from_s and boxes[-1][2:] == (top, bottom):
            boxes[-1] = (boxes[-1][0], span.until_s, top, bottom)
        else:
            boxes.append((span.from_s, span.until_s, top, bottom))
    corners = [
        corner
        for left, right, top, bottom in boxes
        for corner in ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))
    ]
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * len(boxes)
    return Path(corners, codes)


def _names(axes: Axes, row: int, lane: Lane, lanes: Lanes) -> None:
    """Write who answers into each stretch that is wide enough."""
    stretches: list[tuple[float, float, str]] = []
    for span in lane.spans:
        name, share = max(span.parts, key=lambda part: part[1])
        if share < 0.75:
            continue
        if stretches and stretches[-1][2] == name and span.from_s - stretches[-1][1] < 1e-6:
            stretches[-1] = (stretches[-1][0], span.until_s, name)
        else:
            stretches.append((span.from_s, span.until_s, name))
    for left, right, name in stretches:
        if right - left >= (len(name) + 2) * _LETTER * (lanes.until_s - lanes.from_s):
            box = {"facecolor": ROLES["paper"], "edgecolor": "none", "pad": 1.2, "alpha": 0.82}
            axes.text((left + right) / 2, row + 0.31, name, ha="center", va="center", fontsize=8.5, bbox=box, zorder=5)


def _gap(chart: _Chart, axes: Axes, row: int, vantage: str, gap: Gap, lanes: Lanes, named: bool) -> None:
    """Draw an outage below its lane: hollow is its upper bound, solid its lower one."""
    least = 0.0015 * (lanes.until_s - lanes.from_s)
    y = row + 0.72
    outer = axes.hlines(y, gap.from_s, max(gap.until_s, gap.from_s + least), color=ROLES["silent"], linewidth=1.2)
    inner = axes.hlines(y, gap.sure_from_s, max(gap.sure_until_s, gap.sure_from_s + least), color=ROLES["silent"], lw=5)
    words = f"{gap.lower_s:.3f} to {gap.upper_s:.3f} s"
    for part in (outer, inner):
        chart.tip(part, f"{vantage}: the longest of {gap.slots} sessions' outages, {words}")
    axes.plot([gap.from_s, max(gap.until_s, gap.from_s + least)], [y, y], "|", color=ROLES["silent"], markersize=7)
    if named:
        right = gap.until_s > lanes.until_s - 0.2 * (lanes.until_s - lanes.from_s)
        where = (gap.from_s, "right", -5) if right else (gap.until_s, "left", 5)
        axes.annotate(
            words,
            (where[0], y),
            xytext=(where[2], 0),
            textcoords="offset points",
            ha=where[1],
            va="center",
            fontsize=7.5,
            color=ROLES["silent"],
        )


def _faults(chart: _Chart, axes: Axes, lanes: Lanes, overview: bool) -> None:
    for marker in lanes.markers:
        line = axes.axvline(marker.from_s, color=ROLES["fault"], linewidth=1.1, linestyle=(0, (4, 2)), zorder=3)
        chart.tip(line, marker.label)
        if overview:
            _numbered(chart, axes, marker, lanes)
    if not overview:
        axes.axvline(0, color=ROLES["fault"], linewidth=1.8, zorder=3)


def _numbered(chart: _Chart, axes: Axes, marker: Marker, lanes: Lanes) -> None:
    if marker.until_s is not None:
        bar = axes.hlines(-0.3, marker.from_s, marker.until_s, color=ROLES["fault"], linewidth=3.5)
        chart.tip(bar, f"{marker.label}: faults out for {marker.until_s - marker.from_s:.1f} s")
    box = {"boxstyle": "circle,pad=0.25", "facecolor": ROLES["fault"], "edgecolor": ROLES["paper"], "linewidth": 1}
    at = min(max(marker.from_s, lanes.from_s), lanes.until_s)
    axes.text(at, -0.3, str(marker.number), ha="center", va="center", color=ROLES["paper"], fontsize=8, bbox=box)


# --- clocks, survival, round trips ----------------------------------------------------------------------------


def draw_clocks(name: str, bounds: Sequence[Bound], about: str) -> str:
    """Draw each clock's interval at the vantages that were hit worst, beside what is allowed."""
    worst = sorted({bound.vantage for bound in bounds}, key=lambda each: _worst(bounds, each))[:_MOST_VANTAGES]
    rows = [bound for bound in bounds if bound.vantage in worst]
    with mpl.rc_context(_STYLE):
        chart = _Chart(name, 0.55 + 0.23 * len(rows), [f"{bound.vantage} {bound.clock}" for bound in rows])
        axes = chart.figure.subplots()
        longest = max(bound.upper_s for bound in rows)
        limits = [bound.limit_s for bound in rows if bound.limit_s is not None]
        span = max([longest, *(limit for limit in limits if limit < 4 * longest)])
        for row, bound in enumerate(rows):
            _clock(chart, axes, row, bound, span)
        axes.set_xlim(0, span * 1.3)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_yticks(range(len(rows)), [f"{bound.vantage}  {bound.clock}" for bound in rows])
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=True, axis="x")
        axes.set_axisbelow(True)
        axes.set_xlabel("seconds")
        return chart.svg(about)


def _worst(bounds: Sequence[Bound], vantage: str) -> tuple[float, str]:
    return -max(bound.upper_s for bound in bounds if bound.vantage == vantage), vantage


def _clock(chart: _Chart, axes: Axes, row: int, bound: Bound, span: float) -> None:
    number = _CLOCKS.index(bound.clock)
    colour = ROLES[f"clock{number}"]
    axes.hlines(row, 0, bound.upper_s, color=colour, linewidth=0.8, linestyle=":")
    line = axes.hlines(row, bound.lower_s, bound.upper_s, color=colour, linewidth=6)
    mark = ">" if bound.open_end else _MARKS[number]
    axes.plot([(bound.lower_s + bound.upper_s) / 2], [row], mark, color=colour, markersize=7)
    words = f"more than {bound.upper_s:.1f} s, not over"
    if not bound.open_end:
        words = f"{bound.lower_s:.3f} to {bound.upper_s:.3f} s"
    axes.annotate(words, (bound.upper_s, row), xytext=(8, 0), textcoords="offset points", va="center", fontsize=7.8)
    chart.tip(line, f"{bound.vantage}, {bound.clock}: {words}")
    if bound.limit_s is not None and bound.limit_s > span:
        far = f"limit {bound.limit_s:g} s \u2192"
        axes.text(span * 1.3, row, far, ha="right", va="center", fontsize=7.8, color=ROLES["muted"])
    elif bound.limit_s is not None:
        limit = axes.vlines(bound.limit_s, row - 0.42, row + 0.42, color=ROLES["limit"], linewidth=2)
        chart.tip(limit, f"limit {bound.limit_s:g} s")


def draw_survival(name: str, curves: Sequence[Curve], about: str) -> str:
    """Draw the share of the sessions alive at an event that live on."""
    with mpl.rc_context(_STYLE):
        chart = _Chart(name, 2.1, ["100 %"], width_in=5.6)
        axes = chart.figure.subplots()
        ends: dict[int, list[str]] = {}
        for number, curve in enumerate(curves):
            times, shares = zip(*curve.steps, strict=True)
            (line,) = axes.step(
                times,
                [100 * share for share in shares],
                where="post",
                color=ROLES[f"line{number % 8}"],
                linestyle=_DASHES[number % len(_DASHES)],
                linewidth=2,
            )
            chart.tip(line, f"{curve.vantage}: {curve.survived} of {curve.alive} sessions survived")
            ends.setdefault(round(20 * shares[-1]), []).append(curve.vantage)
        last = max(curve.steps[-1][0] for curve in curves)
        for level, names in ends.items():
            axes.annotate(
                f"{', '.join(names[:6])}{' ...' if len(names) > 6 else ''} {5 * level} %",
                (last, 5 * level),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                annotation_clip=False,
            )
        axes.set_xlim(0, last * 1.2)
        axes.set_ylim(-4, 104)
        axes.set_yticks([0, 50, 100], ["0 %", "50 %", "100 %"])
        axes.grid(visible=True)
        axes.set_xlabel("seconds after the event")
        return chart.svg(about)


def draw_round_trips(name: str, lines: Sequence[RttLine], markers: Sequence[Marker], about: str) -> str:
    """Draw median and 99th percentile over time, a panel for each vantage on one scale."""
    lines = [line for line in lines if line.points][:_MOST_VANTAGES]
    with mpl.rc_context(_STYLE):
        chart = _Chart(name, 0.5 + 0.72 * len(lines), [f"{line.vantage}  0.1" for line in lines])
        panels = chart.figure.subplots(len(lines), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for number, (axes, line) in enumerate(zip(panels, lines, strict=True)):
            times, middle, worst = zip(*line.points, strict=True)
            axes.fill_between(times, middle, worst, color=ROLES[f"line{number % 8}"], alpha=0.25, linewidth=0)
            axes.plot(times, worst, color=ROLES[f"line{number % 8}"], linewidth=0.8, linestyle=":")
            axes.plot(times, middle, color=ROLES[f"line{number % 8}"], linewidth=1.6)
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.set_ylabel(line.vantage, rotation=0, ha="right", va="center", fontsize=10, color=ROLES["ink"])
            axes.grid(visible=True)
            for marker in markers:
                axes.axvline(marker.from_s, color=ROLES["fault"], linewidth=0.9, linestyle=(0, (4, 2)))
        panels[-1].set_xlim(lines[0].points[0][0], max(line.points[-1][0] for line in lines))
        _time_axis(panels[-1], max(line.points[-1][0] for line in lines) - lines[0].points[0][0])
        panels[-1].set_xlabel("minutes:seconds since the run began; milliseconds upwards")
        return chart.svg(about)
