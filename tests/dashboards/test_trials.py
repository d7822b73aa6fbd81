"""The table and the document of trials: documented keys, and what is not known is said."""

from __future__ import annotations

import json
import re
from pathlib import Path

from core.records import Outcome
from core.trials import Summary
from dashboards.report.trials import trials_document, trials_text

ROOT = Path(__file__).resolve().parents[2]
OUTCOMES = [("r1", Outcome.PASSED), ("r2", Outcome.FAILED)]
FEW = Summary("drain", "failover", "data_plane_upper_s", (0.25, 0.5), 0.25, 0.375, 0.5, 0.5, None, None)
MANY = Summary("drain", "failback", "dropped_share", (0.5,) * 6, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5)
NONE = Summary("drain", "failback", "stall_upper_s", (None, None), None, None, None, None, None, None)


def test_the_table() -> None:
    lines = trials_text(OUTCOMES, 5, [FEW, MANY, NONE]).splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.startswith("  ")}
    assert rows["data_plane_upper_s"] == ["2/2", "0.250", "0.375", "0.500", "0.500", "too", "few", "trials"]
    assert rows["dropped_share"] == ["6/6", "0.500", "0.500", "0.500", "0.500", "0.500", "..", "0.500"]
    assert rows["stall_upper_s"] == ["0/2", "-", "-", "-", "-", "-"]
    assert "drain (failover)" in lines
    assert lines[-1] == "FAILED: the worst of 2 trials, stopped after 2 of 5"
    assert all(len(line) <= 120 for line in lines)


def test_every_key_is_documented() -> None:
    document = json.loads(json.dumps(trials_document(OUTCOMES, 2, [FEW])))
    section = (ROOT / "docs" / "trials.md").read_text().split("`--json FILE`, and")[1].split("## CI")[0]
    documented = set(re.findall(r"`([a-z_0-9]+)(?:\[\])?`", section))
    found = set(document) | {key for name in ("trials", "figures") for item in document[name] for key in item}
    assert found == documented
    assert document["figures"][0]["values"] == [0.25, 0.5]
    assert document["figures"][0]["median_low"] is None
