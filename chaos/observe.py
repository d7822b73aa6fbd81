"""What a running experiment knows of the network: records folded into one immutable value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from core.experiment import Abort, SteadyState
from core.outage import ends
from core.records import Clock, OutageBegan, OutageEnded, Record, Summary

FRESH_NS = 2_500_000_000


@dataclass(frozen=True, slots=True)
class VantageView:
    """One vantage: its last summary (instant, sessions alive by site, answers), and the slots silent since when."""

    summary_ns: int = 0
    alive_by_site: Mapping[str, int] = field(default_factory=dict)
    answered: int = 0
    silent: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observations:
    """All vantages, as of `now_ns`."""

    now_ns: int = 0
    vantages: Mapping[str, VantageView] = field(default_factory=dict)

    def after(self, record: Record) -> Observations:
        """Return the observations with one more record taken in."""
        vantage = getattr(record, "vantage", "")
        view = self.vantages.get(vantage, VantageView())
        match record:
            case Summary():
                same = view.summary_ns == record.t_ns
                by_site = {**(view.alive_by_site if same else {})}
                by_site[record.site] = by_site.get(record.site, 0) + record.alive
                answered = (view.answered if same else 0) + record.answered
                view = replace(view, summary_ns=record.t_ns, alive_by_site=by_site, answered=answered)
            case OutageBegan() if record.clock is not Clock.NEW_CONNECTIONS and record.slot >= 0:
                view = replace(view, silent={**view.silent, record.slot: record.last_sent_ns})
            case OutageEnded() if record.clock is not Clock.NEW_CONNECTIONS and record.slot >= 0:
                over = ends(record, view.silent.get(record.slot))
                silent = {slot: since for slot, since in view.silent.items() if not (over and slot == record.slot)}
                view = replace(view, silent=silent)
            case _:
                return self
        return replace(self, vantages={**self.vantages, vantage: view})

    def at(self, now_ns: int) -> Observations:
        """Return the same observations, seen at `now_ns`."""
        return replace(self, now_ns=now_ns)

    def answering(self) -> frozenset[str]:
        """Return the sites that answer sessions now."""
        fresh = [view for view in self.vantages.values() if self.now_ns - view.summary_ns <= FRESH_NS and view.answered]
        return frozenset(site for view in fresh for site, count in view.alive_by_site.items() if site and count)

    def unsteady(self, steady: SteadyState, sessions: Mapping[str, int]) -> str:
        """Return why the steady state is not there, or '' when it is. What is not known is not steady."""
        for vantage, site in steady.answered_by.items():
            view = self.vantages.get(vantage, VantageView())
            if self.now_ns - view.summary_ns > FRESH_NS:
                return f"{vantage}: no fresh data"
            alive = {name: count for name, count in view.alive_by_site.items() if count}
            if alive != {site: sessions[vantage]} or not view.answered:
                seen = ", ".join(f"{count} by {name or 'nobody known'}" for name, count in alive.items()) or "none"
                return f"{vantage}: {sessions[vantage]} sessions answered by {site} wanted, seen {seen}"
            if view.silent:
                return f"{vantage}: {len(view.silent)} sessions without answer"
        return ""

    def abort_reason(self, conditions: tuple[Abort, ...]) -> str:
        """Return why the run must end now, or ''. Stale telemetry is a reason."""
        for condition in conditions:
            for vantage in condition.vantages:
                view = self.vantages.get(vantage, VantageView())
                age_s = (self.now_ns - view.summary_ns) / 1e9
                if age_s > condition.stale_s:
                    return f"{vantage}: telemetry is {age_s:.1f} s old (limit {condition.stale_s:g} s)"
                since_ns = min(view.silent.values(), default=self.now_ns)
                if (self.now_ns - since_ns) / 1e9 > condition.outage_s:
                    return f"{vantage}: without answer for more than {condition.outage_s:g} s"
        return ""
