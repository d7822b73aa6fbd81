"""The other charts: the three clocks as intervals, survival, round trips."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from dashboards.report.charts.canvas import STYLE, Chart, time_axis
from dashboards.report.svg import ROLES
from dashboards.report.view import Bound, Curve, Marker, RttLine

_CLOCKS = ("data plane", "new connections", "held kernel session")
_MARKS = ("o", "s", "^")
_DASHES = ("-", "--", "-.", ":")
_MOST_VANTAGES = 12


def draw_clocks(name: str, bounds: Sequence[Bound], about: str) -> str:
    """Draw each clock's interval at the vantages that were hit worst, beside what is allowed."""
    worst = sorted({bound.vantage for bound in bounds}, key=lambda each: _worst(bounds, each))[:_MOST_VANTAGES]
    rows = [bound for bound in bounds if bound.vantage in worst]
    with mpl.rc_context(STYLE):
        chart = Chart(name, 0.55 + 0.23 * len(rows), [f"{bound.vantage} {bound.clock}" for bound in rows])
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


def _clock(chart: Chart, axes: Axes, row: int, bound: Bound, span: float) -> None:
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
    with mpl.rc_context(STYLE):
        chart = Chart(name, 2.1, ["100 %"], width_in=5.6)
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
    with mpl.rc_context(STYLE):
        chart = Chart(name, 0.5 + 0.72 * len(lines), [f"{line.vantage}  0.1" for line in lines])
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
        time_axis(panels[-1], max(line.points[-1][0] for line in lines) - lines[0].points[0][0])
        panels[-1].set_xlabel("minutes:seconds since the run began; milliseconds upwards")
        return chart.svg(about)
