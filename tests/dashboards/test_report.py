"""The three forms of an outcome: the same facts, documented keys, colour never the only sign."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from chaos.drivers import DECLARED
from core.capture_records import CaptureGap
from core.judge import RunVerdict, Verdict, judge
from core.loader import load_experiments, load_inventory
from core.records import Note, OutageEnded, Outcome, ProbeHealth, Record
from dashboards.report.document import to_document
from dashboards.report.markdown import to_markdown
from dashboards.report.text import to_text
from tests.core.test_judge import history

ROOT = Path(__file__).resolve().parents[2]


def verdict_of(*more: Record) -> RunVerdict:
    inventory = load_inventory(ROOT / "experiments" / "lab.yaml")
    inventory = replace(inventory, vantages={"c1": inventory.vantages["c1"]})
    (experiment,) = load_experiments(
        [ROOT / "experiments" / "node-failover.yaml"], load_inventory(ROOT / "experiments" / "lab.yaml"), DECLARED
    )
    return judge(history(*more), inventory, [experiment])


def gaps(captured_ns: int) -> list[Record]:
    found = [record for record in history() if isinstance(record, OutageEnded)]
    return [CaptureGap(o.t_ns, o.vantage, o.slot, o.s_a_ns, captured_ns) for o in found]


def keys(value: object, path: str = "") -> set[str]:
    """Every key of the document, with `[]` for a list's items and NAME for a vantage's name."""
    if isinstance(value, dict):
        found: set[str] = set()
        for key, item in value.items():
            name = "NAME" if path.endswith(".vantages") and path.startswith("events") else str(key)
            here = f"{path}.{name}" if path else name
            found |= {here} | (keys(item, here) if not here.endswith(".dropped") else set())
        return found
    if isinstance(value, list):
        return {key for item in value for key in keys(item, f"{path}[]")}
    return set()


def test_every_key_is_documented() -> None:
    page = (ROOT / "docs" / "outcome.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}
    words = set(re.findall(r"`([a-z_]+)`", page))
    found = keys(to_document("r", verdict_of(*gaps(300_000_000), Note(1, "c1", "x"))))
    assert len(found) > 40
    for key in found:
        base = key.replace("[]", "")
        known = any(base == name.replace("[]", "") for name in documented)
        # The fields of an item are named in its own row.
        assert known or base.rpartition(".")[2] in words, key
    for name in documented:
        assert name.replace("[]", "") in {key.replace("[]", "") for key in found}, (
            f"{name} is documented, and not there"
        )


def test_the_document_is_json_and_has_the_figures() -> None:
    verdict = verdict_of(*gaps(300_000_000))
    document = json.loads(json.dumps(to_document("r", verdict)))
    assert document["captures"][0]["captured_s"] == 0.3
    assert document["captures"][0]["inside"] is True
    seen = document["events"][0]["vantages"]["c1"]
    assert seen["data_plane"] == {"lower_s": 0.28, "upper_s": 0.3, "error_s": 0.0}
    assert seen["before"] == [{"site": "dc1", "node": "ace1", "nat_pool": "N1", "sessions": 2}]


def test_a_capture_that_contradicts_makes_the_run_inconclusive() -> None:
    assert verdict_of(*gaps(300_000_000)).captures[0].inside
    for captured_ns in (310_000_000, 200_000_000, -1):
        verdict = verdict_of(*gaps(captured_ns))
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert "contradicted by the packet captures" in verdict.reason
        assert "0 of 2 true gaps" in to_text("r", verdict, color=False)


def test_the_table_says_what_the_document_says() -> None:
    text = to_text("run-1", verdict_of(), color=False)
    assert "ace1/N1 > ace2/N1" in text
    assert "0.280 .. 0.300" in text
    assert "(run run-1)" in text
    assert max(len(line) for line in text.splitlines()) <= 150


def test_a_full_ring_is_told_in_the_table() -> None:
    assert "ring drops" not in to_text("r", verdict_of(), color=False)
    full = ProbeHealth(15_000_000_000, "c1", 1, 0, 0, 0, 0, 7, 0, 0, 0, 1, ())
    assert "ring drops: 7 at c1 (packets that found" in to_text("r", verdict_of(full), color=False)


@pytest.mark.parametrize("color", [True, False])
def test_colour_is_never_the_only_sign(color: bool) -> None:
    verdict = verdict_of()
    text = to_text("r", verdict, color)
    assert ("\x1b" in text) is color
    plain = re.sub(r"\x1b\[[0-9]*m", "", text)
    assert plain == to_text("r", verdict, color=False)
    for judgement in verdict.judgements:
        sign = {Verdict.HELD: "held", Verdict.BROKEN: "BROKEN", Verdict.UNKNOWN: "unknown"}[judgement.verdict]
        assert re.search(rf"{sign} +.*{re.escape(judgement.expected)}", plain)


def test_the_report_file_holds_the_table_and_what_was_run() -> None:
    verdict = verdict_of()
    report = to_markdown("r", verdict, "vip: x\n", ["name: y\n"])
    assert to_text("r", verdict, color=False) in report
    assert "```yaml\nname: y\n```" in report
    assert report.startswith(f"# Run r: {verdict.outcome}\n")
