"""How far each probe's figures can be believed."""

from __future__ import annotations

from tui.model.view import FRESH_NS, VantageView
from tui.model.words import milliseconds, seconds
from tui.seen import Seen
from tui.widgets.listing import Cells, Column, Listing

COLUMNS = (
    Column("vantage", 9),
    Column("data age", -9),
    Column("engine", 7),
    Column("period ms", -9, from_width=100),
    Column("late p50/p99/max ms", -21),
    Column("missed/s", -8),
    Column("ring drops", -10),
    Column("refused", -7, from_width=100),
    Column("backlog", -7, from_width=110),
    Column("cpu %", -6),
    Column("lost/s", -6, from_width=120),
    Column("overtaken", -9, from_width=130),
    Column("ignored segments", 20, grows=True, from_width=140),
)


class HealthList(Listing[VantageView]):
    """One row a vantage."""

    def __init__(self, seen: Seen, **options: str) -> None:
        self._seen = seen
        super().__init__(COLUMNS, self._row, lambda vantage: vantage.name, "no probe has told anything yet", **options)

    def _row(self, vantage: VantageView) -> Cells:
        view = self._seen.view
        age_ns = vantage.age_ns(view.now_ns) if view else 0
        old = age_ns > FRESH_NS and not vantage.stopped
        age = "ended" if vantage.stopped else seconds(age_ns) if vantage.started else "-"
        health = vantage.health
        head = [(f" {vantage.name}", "strong"), (age, "bad" if old else "good"), (vantage.engine or "-", "")]
        if health is None:
            return [*head, *[("-", "quiet")] * (len(COLUMNS) - len(head))]
        late = "/".join(milliseconds(each) for each in (health.late_p50_ns, health.late_p99_ns, health.late_max_ns))
        behind = health.late_max_ns > vantage.period_ns > 0
        return [
            *head,
            (milliseconds(vantage.period_ns), ""),
            (late, "odd" if behind else ""),
            (str(health.skipped), "odd" if health.skipped else "quiet"),
            (str(vantage.ring_dropped), "bad" if vantage.ring_dropped else "quiet"),
            (str(health.refused), "bad" if health.refused else "quiet"),
            (str(health.backlog), "odd" if health.backlog else "quiet"),
            (f"{health.cpu_ns / 1e7:.0f}", ""),
            (str(health.lost), "odd" if health.lost else "quiet"),
            (str(health.overtaken), "odd" if health.overtaken else "quiet"),
            (", ".join(f"{why} {count}" for why, count in health.ignored) or "-", "quiet"),
        ]
