"""The report page: whole in itself, the same each time, no markup but its own, and what Chromium makes of it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from cli.verdict import Judged, judge_run
from core.judge import judge
from dashboards.report.assemble import Run, view
from dashboards.report.html import to_html
from dashboards.report.view import Row, View
from tests.dashboards.conftest import run_of
from tests.recorded.synthetic import Synthetic

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
VOID = frozenset({"meta", "br", "img", "link", "input", "hr"})
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # nothing that the browser asks for of its own accord leaves either
    "--enable-logging=stderr",
    "--window-size=1280,1000",
)


class Page(HTMLParser):
    """Reads a page: every element with its attributes, ids, and whether what is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def values(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.elements if name in attributes]


def test_it_needs_nothing_else(page: str) -> None:
    found = Page(page)
    assert found.open == []
    assert all(value.startswith("#") for name in ("href", "xlink:href") for value in found.values(name))
    assert found.values("src") == []
    assert not {tag for tag, _ in found.elements} & {"script", "link", "iframe", "object", "img", "image", "base"}
    assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on")]
    assert "://" not in page
    assert not re.search(r"url\((?!#)|@import", page)
    (policy,) = (a["content"] for tag, a in found.elements if tag == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none'")


def test_ids_are_unique_and_links_lead_somewhere(page: str) -> None:
    found = Page(page)
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    targets = {value[1:] for value in found.values("href")}
    targets |= set(re.findall(r"url\(#([^)]+)\)", page)) | set(found.values("aria-labelledby"))
    assert targets
    assert targets <= set(ids)


def test_it_can_be_reached_by_keyboard_and_read_aloud(page: str) -> None:
    """What scrolls takes the focus, and has a name; headings go down by one; charts say what they show."""
    found = Page(page)
    scrolls = [a for _, a in found.elements if "wide" in a.get("class", "").split()]
    assert len(scrolls) > 20
    for attributes in scrolls:
        assert attributes["tabindex"] == "0"
        assert attributes["role"] == "region"
        assert attributes["aria-label"]
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    charts = [attributes for tag, attributes in found.elements if tag == "svg"]
    assert len(charts) > 10
    assert all(chart["role"] == "img" and len(chart["aria-label"]) > 30 for chart in charts)
    tags = {tag for tag, _ in found.elements}
    assert {"header", "nav", "main", "footer", "section", "caption", "figcaption", "details", "summary"} <= tags
    assert all("scope" in attributes for tag, attributes in found.elements if tag == "th")


def test_colour_is_never_the_only_sign(page: str, shown: View) -> None:
    assert "<pattern" in page
    for who in shown.who:
        assert re.search(rf">{who.label}</text>", page)
    assert "✓ held" in page


def test_the_same_view_gives_the_same_page(page: str, shown: View) -> None:
    assert to_html(shown) == page


def test_hostile_names_stay_text(shown: View) -> None:
    names = {
        "run": HOSTILE,
        "expected": HOSTILE,
        "inventory": f"vip: {HOSTILE}",
        "experiments": (HOSTILE,),
        "notes": (HOSTILE,),
        "timeline": (Row(1.0, HOSTILE, HOSTILE, HOSTILE, HOSTILE),),
    }
    event = shown.events[0]
    lanes = replace(event.lanes, lanes=tuple(replace(lane, vantage=HOSTILE) for lane in event.lanes.lanes))
    clocks = tuple(replace(bound, vantage=HOSTILE) for bound in event.clocks)
    hostile = replace(event, title=HOSTILE, story=HOSTILE, experiment=HOSTILE, lanes=lanes, clocks=clocks)
    who = tuple(replace(each, label=HOSTILE, site=HOSTILE) for each in shown.who)
    spans = tuple(replace(span, parts=((HOSTILE, 1.0),)) for span in lanes.lanes[0].spans)
    odd = replace(lanes.lanes[0], vantage="$\\frac{ 東京", spans=spans)
    hostile = replace(hostile, lanes=replace(lanes, lanes=(*lanes.lanes, odd)))
    found = to_html(replace(shown, events=(hostile, *shown.events[1:]), who=who, **names))  # type: ignore[arg-type]
    parsed = Page(found)
    assert not {tag for tag, _ in parsed.elements} & {"script", "img"}
    assert found.count("&lt;script&gt;alert(1)") > 10
    assert "$\\frac{ 東京" in found
    assert "<script" not in found


def test_a_run_of_nothing_is_drawn(judged: Judged) -> None:
    run = run_of(judged)
    verdict = judge([run.started], run.inventory, run.experiments)
    found = to_html(view(Run(run.started, [run.started], verdict, run.inventory, run.experiments)))
    assert "INCONCLUSIVE" in found
    assert "Expectations without an event" in found


def test_a_run_that_was_cut_is_drawn(judged: Judged) -> None:
    """At every instant: within an event, at its very beginning, before the first session."""
    run = run_of(judged)
    at = [event.at_ns for event in judged.verdict.events[:3]]
    for until_ns in (run.started.t_ns + 3_000_000_000, at[0], at[2] + 700_000_000):
        records = [record for record in run.records if record.t_ns <= until_ns]
        verdict = judge(records, run.inventory, run.experiments)
        found = to_html(view(Run(run.started, records, verdict, run.inventory, run.experiments)))
        assert f">{verdict.outcome}</strong>" in found


def test_ten_minutes_of_ten_thousand_sessions(tmp_path: Path) -> None:
    """At most 2 MB; and every event is there."""
    judged = judge_run(Synthetic(sessions=10_000, seconds=600).write(tmp_path / "run"))
    text = judged.html()
    assert len(text.encode()) < 2_000_000
    assert text.count('<section class="event"') == 6
    assert "5000 of 5000 sessions dropped" in text


def chromium(path: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    argv = ["chromium", *FLAGS, f"--user-data-dir={path.parent / 'profile'}", *flags, path.as_uri()]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=120)


def asked(log: Path) -> set[str]:
    """What a page asked for, by Chromium's log of its network: what else is in it are the browser's own errands."""
    return set(re.findall(r'"traffic_annotation":101845102,"url":"([^"]+)"', log.read_text()))


@dataclass(frozen=True)
class Drawn:
    """What one start of Chromium made of the page."""

    said: str
    dom: str
    asked: set[str]
    shot: bytes
    printed: bytes


@pytest.fixture(scope="module")
def drawn(page_file: Path) -> list[Drawn]:
    """The page in the light (1) and in the dark (0), each started once: as a document, a picture and on paper."""
    found = []
    for scheme in (0, 1):
        log, shot, paper = (page_file.parent / f"{scheme}.{kind}" for kind in ("json", "png", "pdf"))
        done = chromium(
            page_file,
            f"--blink-settings=preferredColorScheme={scheme}",
            "--dump-dom",
            f"--log-net-log={log}",
            f"--screenshot={shot}",
            f"--print-to-pdf={paper}",
        )
        found.append(Drawn(done.stderr, done.stdout, asked(log), shot.read_bytes(), paper.read_bytes()))
    return found


def test_chromium_shows_it_without_a_word(page_file: Path, drawn: list[Drawn]) -> None:
    """No console message; nothing asked of any network; as many charts in the document as in the file."""
    for each in drawn:
        assert "CONSOLE" not in each.said
        assert each.dom.count("<svg") == page_file.read_text("utf-8").count("<svg")
        assert not each.asked


def test_chromium_would_tell(tmp_path: Path) -> None:
    """The check above can fail: a script is refused aloud by the policy, and a picture from elsewhere is in the log."""
    policy = "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; img-src *\">"
    bad = tmp_path / "bad.html"
    bad.write_text(f"<!doctype html>{policy}<script>1</script><img src='http://127.0.0.1:9/x.png'>")
    log = tmp_path / "net.json"
    assert "CONSOLE" in chromium(bad, "--dump-dom", f"--log-net-log={log}").stderr
    assert asked(log) == {"http://127.0.0.1:9/x.png"}


def test_it_differs_in_the_dark_and_prints(drawn: list[Drawn]) -> None:
    dark, light = drawn
    assert dark.shot.startswith(b"\x89PNG")
    assert dark.shot != light.shot
    assert light.printed.startswith(b"%PDF")


def test_the_fixture_is_a_whole_run(shown: View) -> None:
    assert (shown.sessions, len(shown.events), len(shown.evidence)) == (24, 6, 10)
    assert json.dumps(shown.run)
