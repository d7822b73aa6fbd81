"""JUnit XML: well-formed whatever is said, with the attributes and children that CI servers expect."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.judge import RunVerdict, Verdict
from core.records import Outcome
from dashboards.report.junit import Suites, to_junit
from tests.dashboards.test_report import verdict_of

STARTED_NS = 1_764_000_000_000_000_000
ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
    "testcase": {"name", "classname", "time"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "system-out": set(),
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"failure", "error", "system-out"},
}


def parsed(*verdicts: RunVerdict) -> ElementTree.Element:
    """The document, checked for shape and for counts."""
    runs = [Suites(f"run-{number}", STARTED_NS, verdict) for number, verdict in enumerate(verdicts)]
    text = to_junit(runs, of_trials=len(runs) > 1)
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n')
    root = ElementTree.fromstring(text)
    for element in root.iter():
        assert set(element.attrib) == ATTRIBUTES[element.tag]
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
        if element.tag in ("testsuite", "testsuites"):
            for attribute, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
                assert int(element.attrib[attribute]) == len(list(element.iter(tag)))
            assert float(element.attrib["time"]) >= 0
        if element.tag == "testcase":
            assert len(element) <= 1
    return root


def counts(root: ElementTree.Element) -> tuple[int, int, int]:
    return tuple(int(root.attrib[name]) for name in ("tests", "failures", "errors"))  # type: ignore[return-value]


def with_verdict(verdict: Verdict, outcome: Outcome, words: str = "why") -> RunVerdict:
    """A run whose first expectation has `verdict`, and all others held."""
    found = verdict_of()
    held = [replace(judgement, verdict=Verdict.HELD) for judgement in found.judgements]
    first = replace(held[0], verdict=verdict, evidence=words)
    return replace(found, judgements=(first, *held[1:]), outcome=outcome, reason=words)


@pytest.mark.parametrize(
    ("verdict", "outcome", "bad"),
    [
        (Verdict.HELD, Outcome.PASSED, (0, 0)),
        (Verdict.BROKEN, Outcome.FAILED, (1, 0)),
        (Verdict.UNKNOWN, Outcome.INCONCLUSIVE, (0, 2)),
        (Verdict.HELD, Outcome.INCONCLUSIVE, (0, 1)),
        (Verdict.HELD, Outcome.BLOCKED, (0, 1)),
        (Verdict.HELD, Outcome.MISSED, (0, 1)),
        (Verdict.BROKEN, Outcome.ABORTED, (1, 1)),
        (Verdict.HELD, Outcome.REVERT_FAILED, (0, 1)),
    ],
)
def test_each_outcome(verdict: Verdict, outcome: Outcome, bad: tuple[int, int]) -> None:
    found = with_verdict(verdict, outcome)
    root = parsed(found)
    assert counts(root) == (len(found.judgements) + 1, *bad)
    assert [suite.attrib["name"] for suite in root] == ["node-failover", "run"]
    assert {suite.attrib["timestamp"] for suite in root} == {"2025-11-24T16:00:00"}
    first = root[0][0]
    assert first.attrib["classname"] == "node-failover"
    assert first.attrib["name"] == "c1 c2: answered by site dc1"
    if verdict is not Verdict.HELD:
        assert first[0].attrib == {"type": str(verdict), "message": "why"}


def test_trials_in_one_file() -> None:
    root = parsed(with_verdict(Verdict.HELD, Outcome.PASSED), with_verdict(Verdict.BROKEN, Outcome.FAILED))
    names = [suite.attrib["name"] for suite in root]
    assert names == ["run-0.node-failover", "run-0.run", "run-1.node-failover", "run-1.run"]
    assert counts(root)[1:] == (1, 0)


@given(st.text())
def test_any_words_make_a_document(words: str) -> None:
    words += '\x00\x1b[31m\ufffe <&"]]>'
    case = parsed(with_verdict(Verdict.UNKNOWN, Outcome.ABORTED, words))[0][0]
    assert '\\x00\\x1b[31m\\ufffe <&"]]>' in case[0].attrib["message"]
