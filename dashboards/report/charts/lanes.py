"""The lanes: who answered each vantage over time, the outages below, the faults across."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from dashboards.report.charts.canvas import STYLE, Chart, time_axis
from dashboards.report.svg import HUES, ROLES
from dashboards.report.view import NO_ANSWER, NO_TELEMETRY, Gap, Lane, Lanes, Marker, Span, Who

_HATCHES = ("", "////", "....", "xxxx", "||||")
_LETTER = 0.0078
"""So much of a lane's width one letter takes."""


def draw_lanes(name: str, lanes: Lanes, who: Sequence[Who], about: str, overview: bool) -> str:
    """Draw who answered each vantage over time, the outages below it, and the faults across."""
    with mpl.rc_context(STYLE):
        height_in = 0.55 + 0.5 * len(lanes.lanes) + (0.28 if overview else 0.0)
        chart = Chart(name, height_in, [lane.vantage for lane in lanes.lanes])
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
            time_axis(axes, lanes.until_s - lanes.from_s)
        else:
            axes.xaxis.set_major_locator(MaxNLocator(10))
        axes.set_xlabel("minutes:seconds since the run began" if overview else "seconds after the event")
        return chart.svg(about)


def _face(who: Who) -> str:
    return f"who{who.hue % HUES}{'b' if who.pattern % 2 else 'a'}"


def _hatch(who: Who) -> str:
    return "----" if who.pattern < 0 else _HATCHES[who.pattern % len(_HATCHES)]


def _lane(chart: Chart, axes: Axes, row: int, lane: Lane, lanes: Lanes, faces: Mapping[str, tuple[str, str]]) -> None:
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


def _gap(chart: Chart, axes: Axes, row: int, vantage: str, gap: Gap, lanes: Lanes, named: bool) -> None:
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


def _faults(chart: Chart, axes: Axes, lanes: Lanes, overview: bool) -> None:
    for marker in lanes.markers:
        line = axes.axvline(marker.from_s, color=ROLES["fault"], linewidth=1.1, linestyle=(0, (4, 2)), zorder=3)
        chart.tip(line, marker.label)
        if overview:
            _numbered(chart, axes, marker, lanes)
    if not overview:
        axes.axvline(0, color=ROLES["fault"], linewidth=1.8, zorder=3)


def _numbered(chart: Chart, axes: Axes, marker: Marker, lanes: Lanes) -> None:
    if marker.until_s is not None:
        bar = axes.hlines(-0.3, marker.from_s, marker.until_s, color=ROLES["fault"], linewidth=3.5)
        chart.tip(bar, f"{marker.label}: faults out for {marker.until_s - marker.from_s:.1f} s")
    box = {"boxstyle": "circle,pad=0.25", "facecolor": ROLES["fault"], "edgecolor": ROLES["paper"], "linewidth": 1}
    at = min(max(marker.from_s, lanes.from_s), lanes.until_s)
    axes.text(at, -0.3, str(marker.number), ha="center", va="center", color=ROLES["paper"], fontsize=8, bbox=box)
