"""The report page: the view and its charts in one HTML file that needs nothing else. The one door to Jinja."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from dashboards.report.charts.canvas import clock_time
from dashboards.report.charts.curves import draw_clocks, draw_round_trips, draw_survival
from dashboards.report.charts.lanes import draw_lanes
from dashboards.report.svg import HUES
from dashboards.report.view import EventView, View, Who

_CAUSES = ("reset", "fin", "timeout", "icmp", "answer_changed")


def to_html(view: View) -> str:
    """Return the whole page. It has no script, and its own policy forbids it to ask for anything."""
    # Everything is escaped; the charts alone are markup, and they escape what they write.
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"clock": clock_time, "seconds": _seconds, "swatch": _swatch, "size": _size}
    pages = files(__package__)
    template = environment.from_string((pages / "page.html.j2").read_text("utf-8"))
    style = Markup((pages / "page.css").read_text("utf-8"))  # noqa: S704  our own file
    return template.render(
        view=view,
        style=style,
        overview=Markup(_overview(view)),  # noqa: S704  drawn here, escaped there
        drawn=[{name: Markup(svg) for name, svg in _charts(event, view).items()} for event in view.events],  # noqa: S704
        round_trips=Markup(_round_trips(view)),  # noqa: S704
        causes=_CAUSES,
    )


def _overview(view: View) -> str:
    names = ", ".join(lane.vantage for lane in view.overview.lanes)
    about = f"Who answered the vantages {names} over the whole run, with outages and faults."
    return draw_lanes("overview", view.overview, view.who, about, overview=True)


def _charts(event: EventView, view: View) -> dict[str, str]:
    name = f"event{event.number}"
    about = f"Event {event.number}, {event.experiment}"
    drawn = {
        "lanes": draw_lanes(
            f"{name}-lanes", event.lanes, view.who, f"{about}: who answered each vantage. {event.story}", overview=False
        )
    }
    if event.clocks:
        drawn["clocks"] = draw_clocks(
            f"{name}-clocks", event.clocks, f"{about}: what each of the three clocks measured at each vantage."
        )
    if event.curves and any(drops.by_cause for drops in event.drops):
        drawn["survival"] = draw_survival(
            f"{name}-survival", event.curves, f"{about}: share of the sessions alive at the event that live on."
        )
    return drawn


def _round_trips(view: View) -> str:
    if not any(line.points for line in view.rtt):
        return ""
    about = "Median and 99th percentile of the round trip of each vantage over the run."
    return draw_round_trips("rtt", view.rtt, view.overview.markers, about)


def _seconds(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _swatch(who: Who) -> str:
    """Return the style classes of a legend's sample, the same hue and pattern as in the lanes."""
    return f"h{who.hue % HUES}{'b' if who.pattern % 2 else 'a'} p{'x' if who.pattern < 0 else who.pattern % 5}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1_000_000 else f"{count / 1e3:.1f} kB"
