"""The outcome of runs as JUnit XML, as CI servers read it: a suite for each experiment, a case for each expectation.

The format has no standard; this keeps to what Ant's JUnit report task writes and Jenkins' schema of it allows:
https://github.com/jenkinsci/xunit-plugin, `junit-10.xsd`. An expectation that is unknown is an error, not skipped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree

from core.judge import Judgement, RunVerdict, Verdict
from core.records import Outcome

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0, section 2.2, allows no document to contain."""
_ELEMENTS = {Verdict.BROKEN: "failure", Verdict.UNKNOWN: "error"}
JUDGED = (Outcome.PASSED, Outcome.FAILED)


@dataclass(frozen=True, slots=True)
class Suites:
    """One run: its id, when it began on the wall clock, and what is said of it."""

    run: str
    started_wall_ns: int
    verdict: RunVerdict


def to_junit(runs: Sequence[Suites], of_trials: bool = False) -> str:
    """Return the document; `of_trials`: each suite's name begins with its run's id."""
    root = ElementTree.Element("testsuites", name="vipchaos")
    for run in runs:
        prefix = f"{run.run}." if of_trials else ""
        began = datetime.fromtimestamp(run.started_wall_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        for experiment in dict.fromkeys(judgement.experiment for judgement in run.verdict.judgements):
            suite = _suite(root, prefix + experiment, began)
            for judgement in run.verdict.judgements:
                if judgement.experiment == experiment:
                    _case(suite, prefix + experiment, judgement)
            _count(suite, _lasted_s(run.verdict, experiment))
        suite = _suite(root, f"{prefix}run", began)
        case = ElementTree.SubElement(suite, "testcase", classname=f"{prefix}run", name="went as planned", time="0")
        if run.verdict.outcome not in JUDGED:
            _say(case, "error", run.verdict.outcome, run.verdict.reason)
        _count(suite, 0.0)
    _count(root, sum(float(suite.get("time", "0")) for suite in root))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(root: ElementTree.Element, name: str, began: str) -> ElementTree.Element:
    return ElementTree.SubElement(root, "testsuite", name=name, timestamp=began)


def _case(suite: ElementTree.Element, experiment: str, judgement: Judgement) -> None:
    name = _allowed(f"{' '.join(judgement.vantages)}: {judgement.expected}")
    case = ElementTree.SubElement(suite, "testcase", classname=experiment, name=name, time="0")
    if judgement.verdict in _ELEMENTS:
        _say(case, _ELEMENTS[judgement.verdict], judgement.verdict, judgement.evidence)
    else:
        ElementTree.SubElement(case, "system-out").text = _allowed(judgement.evidence)


def _say(case: ElementTree.Element, element: str, kind: str, words: str) -> None:
    ElementTree.SubElement(case, element, type=kind, message=_allowed(words)).text = _allowed(words)


def _count(suite: ElementTree.Element, lasted_s: float) -> None:
    """Write how many cases there are inside, of which kind, and how long they took."""
    suite.set("tests", str(len(list(suite.iter("testcase")))))
    suite.set("failures", str(len(list(suite.iter("failure")))))
    suite.set("errors", str(len(list(suite.iter("error")))))
    if suite.tag == "testsuite":
        suite.set("skipped", "0")
    suite.set("time", f"{lasted_s:.3f}")


def _lasted_s(verdict: RunVerdict, experiment: str) -> float:
    return sum(event.until_ns - event.at_ns for event in verdict.events if event.experiment == experiment) / 1e9


def _allowed(text: str) -> str:
    """Return `text` with what XML forbids written out, as Python does in a literal."""
    return _FORBIDDEN.sub(lambda found: ascii(found[0])[1:-1], text)
