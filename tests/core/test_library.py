"""The library side by side: what a trial was seen as, whether rightly, and that each experiment has its page."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from core.events import Event, VantageOutcome, Who
from core.experiment import Expectation, Experiment, SteadyState
from core.judge import Judgement, RunVerdict, Verdict
from core.library import Row, expected, named_rightly, trial
from core.names import NOTHING, Change, Name
from core.outage import Interval, Merged
from core.records import Outcome
from dashboards.report.library import library_document, library_page, library_text

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = sorted((ROOT / "experiments" / "library").glob("*.yaml"))
PAGES = ROOT / "docs" / "library"
SITE = (str(Name.SITE_FAILOVER), str(Name.WITHDRAWAL))


def expectation(vantages: tuple[str, ...], *seen_as: str) -> Expectation:
    return Expectation(vantages, None, None, None, None, None, None, seen_as)


EXPERIMENT = Experiment(
    "site-down", "both nodes die", SteadyState({}, 1, 1), (), None, 5, 20, 3,
    (expectation(("c1", "c2"), *SITE), expectation(("c3",), NOTHING)), (), "x",
)  # fmt: skip


def change(vantage: str, *names: Name) -> Change:
    return Change(vantage, names, "", "dc1", "dc2", 5, 5, 0, 15, 16, (15,), "")


def outcome(vantage: str, upper_ns: int = 0, open_ns: int = 0) -> VantageOutcome:
    merged = Merged(Interval(1, upper_ns, 0), 1, 1, 1) if upper_ns else None
    return VantageOutcome(vantage, Who(()), Who(()), merged, None, None, 5, 5, {}, 0, 5, 0, open_ns, 0, "")


def verdict(named: Verdict, *changes: Change, open_ns: int = 0) -> RunVerdict:
    vantages = (outcome("c1", 2_000_000_000, open_ns), outcome("c2"), outcome("c3"))
    event = Event("site-down", "", "failover", "", (), 10, 20, True, vantages, None, None)
    judgements = (
        Judgement("site-down", ("c1",), "sessions restart", Verdict.BROKEN, ""),
        Judgement("site-down", ("c1", "c2"), "seen as site failover", named, ""),
    )
    return RunVerdict(Outcome.FAILED, "1 broken", (event,), judgements, (), (), changes)


def test_what_is_expected_is_what_those_see_whom_it_hits() -> None:
    assert expected(EXPERIMENT) == SITE
    assert expected(replace(EXPERIMENT, expectations=EXPERIMENT.expectations[1:])) == (NOTHING,)


def test_a_trial_is_seen_as_what_those_see_whom_it_hits() -> None:
    either = (Name.SITE_FAILOVER, Name.WITHDRAWAL)
    seen = [change("c1", *either), change("c2", *either), change("c3", Name.GRAY)]
    found = trial("run", verdict(Verdict.HELD, *seen), EXPERIMENT)
    assert (found.seen, found.named, found.failover_s) == (("site failover or route withdrawal",), True, 2.0)
    late = replace(change("c1", Name.GRAY), first_ns=25)
    assert trial("run", verdict(Verdict.BROKEN, late), EXPERIMENT).seen == (NOTHING,)
    dark = trial("run", verdict(Verdict.UNKNOWN, *seen, open_ns=9), EXPERIMENT)
    assert (dark.named, dark.failover_s) == (None, None)


def test_table_page_and_document_say_who_was_named_rightly() -> None:
    good = trial("r1", verdict(Verdict.HELD, change("c1", Name.WITHDRAWAL)), EXPERIMENT)
    bad = trial("r2", verdict(Verdict.BROKEN), EXPERIMENT)
    rows = [Row("site-down", "both", (), SITE, (good, good, bad))]
    assert named_rightly(rows) == (2, 3)
    text = library_text(rows)
    assert "2 of 3: nothing; route withdrawal" in text, "c2 saw nothing"
    assert "expected: site failover or route withdrawal" in text
    assert "2 of 3 named rightly" in text
    page = library_page(rows)
    assert "2 of 3 trials (67%)" in page
    assert "| site-down | 2 | 1 |" in page
    document = library_document(rows)
    assert (document["named"], document["of"], document["outcome"]) == (2, 3, Outcome.FAILED)


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_each_experiment_expects_to_be_seen_and_has_its_page(path: Path) -> None:
    known = yaml.safe_load(path.read_text())
    assert known["name"] == path.stem
    assert any("seen_as" in each for each in known["expectations"]), "else it cannot fail to be recognised"
    page = (PAGES / f"{path.stem}.md").read_text()
    assert re.findall(r"^## (.*)", page, re.MULTILINE) == [
        "What an operator sees", "What it does to sessions", "Usual causes", "How to fix it",
    ]  # fmt: skip
    assert re.search(r"\| promise [1-7] of ", page)
    (row,) = re.findall(rf"^\| \[{path.stem}\]\(.*", (PAGES / "README.md").read_text(), re.MULTILINE)
    wanted = {name for each in known["expectations"] for name in each.get("seen_as", ())} - {NOTHING}
    assert all(name in row for name in wanted or {NOTHING})
    assert all(flavour in row for flavour in known.get("flavours", ()))


def test_every_name_is_in_the_page_of_names_and_every_key_in_that_of_the_document() -> None:
    names = (ROOT / "docs" / "recognising.md").read_text()
    assert [str(name) for name in Name if f"| {name} |" not in names] == []
    row = Row("x", "x", (), SITE, (trial("r1", verdict(Verdict.HELD), EXPERIMENT),))
    document = library_document([row])
    text = (PAGES / "README.md").read_text()
    experiments = document["experiments"]
    assert isinstance(experiments, list)
    keys = {*document, *experiments[0], *experiments[0]["trials"][0]}
    assert [key for key in keys if not re.search(rf"[`.]{key}[`\[]", text)] == []
