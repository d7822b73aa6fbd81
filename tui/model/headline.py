"""The one sentence that is right first: is somebody without service, who moved, what is out, how the run stands."""

from __future__ import annotations

import enum
from collections import defaultdict
from dataclasses import dataclass

from core.records import Outcome
from tui.model.view import VantageView, View
from tui.model.words import countdown, names, seconds


class Mood(enum.StrEnum):
    """What the sentence is coloured by; its first word says the same."""

    GOOD = "good"
    CAUTION = "caution"
    BAD = "bad"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Headline:
    """`word` in capitals, then parts that are set apart by dots."""

    mood: Mood
    word: str
    parts: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return it as one line."""
        return f"{self.word}  {'  ·  '.join(self.parts)}"


def headline(view: View | None, stopped: str = "") -> Headline:
    """Return what is to be said of a run; `stopped` is why the kill switch is on, or ''."""
    if view is None or not view.begun_ns:
        return Headline(Mood.QUIET, "WAITING", ("no run has told anything yet", "`vipchaos demo` makes one"))
    if view.outcome is not None:
        return _ended(view)
    found = _living(view)
    if stopped:
        return Headline(Mood.CAUTION, found.word, (*found.parts, f"kill switch on: {stopped}"))
    return found


def _ended(view: View) -> Headline:
    mood = {Outcome.PASSED: Mood.GOOD, Outcome.FAILED: Mood.BAD}.get(view.outcome, Mood.CAUTION)  # type: ignore[arg-type]
    drops = sum(vantage.drops for vantage in view.vantages.values())
    reason = [view.reason] if view.reason else []
    length = seconds(view.ended_ns - view.begun_ns)
    parts = (str(view.outcome), *reason, f"{drops} sessions dropped on the way", f"took {length}")
    return Headline(mood, "RUN ENDED", parts)


def _living(view: View) -> Headline:
    vantages = [vantage for vantage in view.vantages.values() if vantage.started and not vantage.stopped]
    opened = [vantage for vantage in vantages if vantage.slots]
    stale = [vantage.name for vantage in vantages if vantage.stale(view.now_ns)]
    silent = [vantage for vantage in opened if vantage.silent >= vantage.slots and vantage.name not in stale]
    partly = [vantage for vantage in opened if 0 < vantage.silent < vantage.slots and vantage.name not in stale]
    if stale:
        age = seconds(view.age_ns())
        rest = _without(silent, view) or ["what is shown of them is old"]
        return Headline(Mood.BAD, "NO DATA", (f"{names(stale)} silent for {age}: cannot be told", *rest, *_ends(view)))
    if silent:
        rest = [each.name for each in opened if each not in silent and each not in partly]
        untouched = [f"{names(rest)} answered"] if rest else ["nobody else is answered either"]
        word = "FAILING OVER" if view.out or view.faults else "NO ANSWER"
        return Headline(Mood.BAD, word, (*_without(silent, view), *_partly(partly, view), *untouched, *_ends(view)))
    if partly:
        return Headline(Mood.CAUTION, "DEGRADED", (*_partly(partly, view), *_ends(view)))
    if not opened:
        return Headline(Mood.QUIET, "STARTING", ("no session is open yet", *_phase(view)))
    if view.out:
        what = names(tuple(dict.fromkeys(fault.label for fault in view.out)))
        parts = (what, "every vantage is answered", *_answered(opened), *_ends(view))
        return Headline(Mood.CAUTION, "FAULT OUT", parts)
    alive, planned = sum(v.alive for v in opened), sum(max(v.planned, v.slots) for v in opened)
    opening = any(vantage.slots < vantage.planned for vantage in opened)
    word = "OPENING" if opening else "STEADY"
    counts = f"{alive} of {planned} sessions alive"
    return Headline(Mood.QUIET if opening else Mood.GOOD, word, (counts, *_answered(opened), *_phase(view)))


def _without(silent: list[VantageView], view: View) -> list[str]:
    if not silent:
        return []
    since_ns = max(1, view.now_ns - min(vantage.silent_since_ns for vantage in silent))
    return [f"{names([vantage.name for vantage in silent])} without answer for {seconds(since_ns)}"]


def _partly(partly: list[VantageView], view: View) -> list[str]:
    return [
        f"{each.name}: {each.silent} of {each.slots} sessions without answer for "
        f"{seconds(max(1, view.now_ns - each.silent_since_ns))}"
        for each in partly[:3]
    ]


def _answered(vantages: list[VantageView]) -> list[str]:
    """Return who answers whom, vantages that are answered alike together."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for vantage in vantages:
        by = "+".join(dict.fromkeys(place.node or place.site or "?" for place, _ in vantage.answering[:3])) or "?"
        groups[by].append(vantage.name)
    return [f"{names(mine)} by {by}" for by, mine in list(groups.items())[:3]]


def _ends(view: View) -> list[str]:
    if view.lease_ends_ns:
        return [f"lease ends in {countdown(view.lease_ends_ns - view.now_ns)}"]
    return []


def _phase(view: View) -> list[str]:
    return [f"{view.experiment}: {view.phase}"] if view.phase else []
