"""Counts of sessions by vantage: alive, restarted, dropped, answered now, round trip; and its course."""

from __future__ import annotations

from tui.draw.line import BARS, Line, fit, row
from tui.model.places import sign
from tui.model.view import FRESH_NS, Second, VantageView, View
from tui.model.words import milliseconds, percent

TREND_LABEL = "rtt p99, 60 s"


def counts(view: View, width: int, height: int, catchment: bool = False) -> list[Line]:
    """Return the table; with `catchment` it also says who answers (where there is no room for the network)."""
    fixed = (17 if catchment else 0) + 58
    trend = max(0, min(60, width - fixed - 2))
    causes = 0
    if trend > 44:
        causes, trend = 18, trend - 19
    trend = trend if trend >= 8 else 0
    head = [(" vantage", 9, "quiet")]
    head += [("answered by", 16, "quiet")] if catchment else []
    head += [
        ("alive", -6, "quiet"),
        ("restarted", -9, "quiet"),
        ("dropped", -7, "quiet"),
        ("answered", -8, "quiet"),
        ("rtt p50/p99 ms", -15, "quiet"),
    ]
    head += [("causes", causes, "quiet")] if causes else []
    head += [(TREND_LABEL[:trend], trend, "quiet")] if trend else []
    vantages = list(view.vantages.values())
    lines = [row(head)]
    room = height - 1 - (len(vantages) > 1)
    lines += [row(_cells(vantage, view, catchment, causes, trend)) for vantage in vantages[: max(1, room)]]
    if len(vantages) > 1:
        lines.append(row(_total(vantages, catchment)))
    return [fit(line, width) for line in lines[:height]]


def _cells(vantage: VantageView, view: View, catchment: bool, causes: int, trend: int) -> list[tuple[str, int, str]]:
    stale = vantage.stale(view.now_ns)
    tone = "unknown" if stale else ""
    cells = [(f" {vantage.name}", 9, "strong")]
    if catchment:
        cells.append(_who(vantage, view))
    fresh = [each for each in vantage.seconds[-1:] if view.now_ns - each.t_ns <= FRESH_NS and each.answered]
    rtt = f"{milliseconds(fresh[0].rtt_p50_ns)}/{milliseconds(fresh[0].rtt_p99_ns):>6}" if fresh else "-/     -"
    share = "no data" if stale else percent(vantage.answered / vantage.slots) if vantage.slots else "-"
    bad = "bad" if vantage.silent >= vantage.slots > 0 else "part-cell" if vantage.silent else "good"
    return [
        *cells,
        (str(vantage.alive), -6, tone or ("bad" if vantage.slots and not vantage.alive else "")),
        (str(vantage.restarted), -9, tone or ("odd" if vantage.restarted else "quiet")),
        (str(vantage.drops), -7, tone or ("odd" if vantage.drops else "quiet")),
        (share, -8, tone or (bad if vantage.slots else "quiet")),
        (rtt, -15, tone or "rtt"),
        *([(", ".join(f"{cause} {many}" for cause, many in vantage.dropped.items()), causes, "odd")] if causes else []),
        *([(spark(vantage.seconds, trend, view.now_ns), trend, tone or "rtt")] if trend else []),
    ]


def _who(vantage: VantageView, view: View) -> tuple[str, int, str]:
    if vantage.stale(view.now_ns):
        return "no data", 16, "unknown"
    if vantage.slots and vantage.silent >= vantage.slots:
        return "✖ nobody", 16, "bad"
    if not vantage.answering:
        return "-", 16, "quiet"
    number = sign(vantage.answering[0][0], view.inventory).site
    words = "+".join(place.words for place, _ in vantage.answering[:2])
    return f"→ {words}", 16, f"site{number % 6 if number >= 0 else '-none'}"


def _total(vantages: list[VantageView], catchment: bool) -> list[tuple[str, int, str]]:
    slots, silent = sum(each.slots for each in vantages), sum(each.silent for each in vantages)
    return [
        (" all", 9, "quiet"),
        *([("", 16, "")] if catchment else []),
        (str(sum(each.alive for each in vantages)), -6, "strong"),
        (str(sum(each.restarted for each in vantages)), -9, "strong"),
        (str(sum(each.drops for each in vantages)), -7, "strong"),
        (percent((slots - silent) / slots) if slots else "-", -8, "strong"),
    ]


def spark(seconds: tuple[Second, ...], width: int, now_ns: int) -> str:
    """Return the 99th percentile of the round trip, newest at the right, each bar the worst of its seconds.

    Bars are scaled from nothing to the highest. A second without any answer is a gap.
    """
    per_bar_ns = max(1_000_000_000, 60_000_000_000 // width)
    values = [0] * width
    for second in seconds:
        at = width - 1 - (now_ns - second.t_ns) // per_bar_ns
        if 0 <= at < width and second.answered:
            values[at] = max(values[at], second.rtt_p99_ns)
    top = max(values) or 1
    return "".join(BARS[max(1, round(value / top * 8))] if value else " " for value in values)
