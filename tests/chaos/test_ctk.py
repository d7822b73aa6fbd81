"""The extension of Chaos Toolkit, by the real `chaos run`, `chaos validate` and `chaos discover`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.chaos.toolkit import COMMAND, PAGE, ROOT, Toolkit, action, documented, probe, toolkit, wait_s
from tests.waiting import wait_for

__all__ = ["toolkit"]  # the fixture
REVERT = action("revert_fault", name="left")
LONG_S = 40.0


def test_a_fault_is_out_during_the_method_and_gone_after_the_rollback(toolkit: Toolkit) -> None:
    hypothesis = {"title": "h", "probes": [probe("sites_announcing", [["dc1", "dc2"]], inventory=inventory(toolkit))]}
    method = [toolkit.inject(), probe("faults_out"), toolkit.inject("right"), probe("faults_out")]
    rollbacks = [action("revert_fault", name="right"), REVERT, REVERT]
    done = toolkit.run(method, rollbacks, **{"steady-state-hypothesis": hypothesis})
    assert (done.code, done.body["status"], done.body["deviated"]) == (0, "completed", False), done.said
    assert [status for _, status in [*done.of(), *done.of("rollbacks")]] == ["succeeded"] * 7
    assert (done.output(1), done.output(3)) == (1, 2)
    given = done.output(0)
    assert (given["fault"], given["driver"], given["target"]) == ("left", "link", "box")
    assert given["began_ns"] <= given["ended_ns"]
    assert given["seen"].startswith("flags of left")
    assert given["run"] == done.output(2)["run"], "faults of one `chaos run` may be out beside each other"
    assert [done.output(number, "rollbacks")["reverted"] for number in range(3)] == [True, True, False]
    assert toolkit.nothing_left()


def inventory(toolkit: Toolkit) -> str:
    return str(toolkit.place / "inventory.yaml")


def test_without_a_rollback_it_goes_as_chaos_ends(toolkit: Toolkit) -> None:
    done = toolkit.run([toolkit.inject(), probe("faults_out")])
    assert (done.code, done.output(1)) == (0, 1)
    wait_for(toolkit.nothing_left, 2)


def test_skipped_rollbacks_leave_nothing(toolkit: Toolkit) -> None:
    experiment = toolkit.file([toolkit.inject(), probe("faults_out")], [REVERT])
    done = toolkit.end(toolkit.begin(experiment, "--rollback-strategy", "never"), experiment)
    assert done.of() == [("inject_fault", "succeeded"), ("faults_out", "succeeded")]
    assert done.body["rollbacks"] == []
    wait_for(toolkit.nothing_left, 2)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_killed_in_the_method_it_is_gone_in_2_s(toolkit: Toolkit, number: signal.Signals) -> None:
    experiment = toolkit.file([toolkit.inject(), wait_s(LONG_S, toolkit.mark)], [REVERT])
    process = toolkit.begin(experiment)
    wait_for(toolkit.mark.exists)
    assert toolkit.left_is_down()
    process.send_signal(number)
    began_s = time.monotonic()
    assert toolkit.end(process, experiment).code == -number
    wait_for(toolkit.nothing_left, 2)
    assert time.monotonic() - began_s < 2


def test_sigterm_in_a_python_step_that_is_not_ours_leaves_nothing(toolkit: Toolkit) -> None:
    experiment = toolkit.file([toolkit.inject(), wait_s(LONG_S, toolkit.mark), toolkit.inject("right")], [REVERT])
    process = toolkit.begin(experiment)
    wait_for(toolkit.mark.exists)
    assert toolkit.left_is_down()
    process.terminate()
    done = toolkit.end(process, experiment)
    wait_for(toolkit.nothing_left, 2)
    assert (done.code, done.body["status"]) == (0, "completed"), "as docs/chaos-toolkit.md says of that tool"
    assert [status for _, status in done.of()] == ["succeeded", "failed", "succeeded"]


def test_sigterm_in_an_action_of_ours_ends_the_run(toolkit: Toolkit) -> None:
    """SIGTERM comes while the guard looks at the sites, which takes long; the next fault must not be asked for."""
    text = (toolkit.place / "inventory.yaml").read_text()
    slow = f"/bin/sh, -c, 'touch {toolkit.place}/looking; sleep 3; echo announced'"
    (toolkit.place / "inventory.yaml").write_text(text.replace(f"cat, {toolkit.place}/dc2", slow))
    experiment = toolkit.file([toolkit.inject(), toolkit.inject("right")], [REVERT])
    process = toolkit.begin(experiment)
    wait_for((toolkit.place / "looking").exists)
    process.terminate()
    done = toolkit.end(process, experiment)
    assert (done.code, done.body["status"]) == (1, "interrupted"), done.said
    assert [name for name, status in done.of() if status == "succeeded"] == []
    assert len(done.of()) <= 1
    wait_for(toolkit.nothing_left, 5)


def test_the_lease_is_over_before_the_rollback_and_the_journal_says_so(toolkit: Toolkit) -> None:
    done = toolkit.run([toolkit.inject(lease_s=1), wait_s(1.5, toolkit.mark), probe("faults_out")], [REVERT])
    assert done.output(2) == 0
    assert (done.code, done.of("rollbacks")) == (0, [("revert_fault", "failed")])
    assert "reverted before it was asked for: its lease was over [lease_over]" in done.why(0, "rollbacks")


def test_a_name_is_free_again_when_its_lease_is_over(toolkit: Toolkit) -> None:
    done = toolkit.run([toolkit.inject(lease_s=1), wait_s(1.5, toolkit.mark), toolkit.inject()], [REVERT])
    assert [status for _, status in [*done.of(), *done.of("rollbacks")]] == ["succeeded"] * 4
    assert toolkit.nothing_left()


def test_without_the_steady_state_nothing_is_asked_for(toolkit: Toolkit) -> None:
    hypothesis = {"title": "h", "probes": [probe("faults_out", 1)]}
    done = toolkit.run([toolkit.inject()], [REVERT], **{"steady-state-hypothesis": hypothesis})
    assert (done.code, done.body["status"], done.of()) == (0, "completed", [])
    assert done.body["steady_states"]["before"]["steady_state_met"] is False
    assert done.output(0, "rollbacks")["reverted"] is False


def test_the_last_announcer_is_refused_and_nothing_is_touched(toolkit: Toolkit) -> None:
    (toolkit.place / "dc2").write_text("nothing\n")
    done = toolkit.run([toolkit.inject(), probe("faults_out"), probe("sites_announcing", inventory=inventory(toolkit))])
    assert (done.code, done.of()[0]) == (0, ("inject_fault", "failed")), "0 does not mean that a fault was injected"
    assert "ActivityFailed: no site would announce vip (dc1: taken by a fault; dc2: its route is" in done.why(0)
    assert done.why(0).rstrip().endswith("[last_announcer]")
    assert (done.output(1), done.output(2)) == (0, ["dc1"])
    assert toolkit.nothing_left()


def test_a_cap_of_the_guard_is_held(toolkit: Toolkit) -> None:
    caps = toolkit.place / "caps.yaml"
    caps.write_text("concurrent_faults: 1\nlease_s: 100\n")
    guard = toolkit.start(sys.executable, "-m", "cli", "guard", "--caps", str(caps))
    wait_for((toolkit.run_directory / "guard.sock").exists)
    done = toolkit.run([toolkit.inject(lease_s=101), toolkit.inject(), toolkit.inject("right")], [REVERT])
    assert [status for _, status in done.of()] == ["failed", "succeeded", "failed"]
    assert "[lease_too_long]" in done.why(0)
    assert "2 faults would be out, the guard allows 1 [too_many_faults]" in done.why(2)
    assert toolkit.nothing_left()
    guard.terminate()


def test_a_fault_that_is_there_already_is_not_taken_for_ours(toolkit: Toolkit) -> None:
    subprocess.run(["ip", "-n", toolkit.host.target, "link", "set", "left", "down"], check=True)
    done = toolkit.run([toolkit.inject()], [REVERT])
    assert "[foreign_state]" in done.why(0)
    assert done.output(0, "rollbacks")["reverted"] is False
    assert toolkit.left_is_down()
    subprocess.run(["ip", "-n", toolkit.host.target, "link", "set", "left", "up"], check=True)


def test_the_kill_switch_reverts_and_blocks(toolkit: Toolkit) -> None:
    method = [toolkit.inject(), action("stop", reason="real outage"), probe("faults_out"), toolkit.inject("right")]
    done = toolkit.run(method, [REVERT])
    assert [status for _, status in done.of()] == ["succeeded", "succeeded", "succeeded", "failed"]
    assert done.output(2) == 0
    assert "the kill switch is on: real outage; `vipchaos resume` allows new faults [kill_switch]" in done.why(3)
    assert "the kill switch was used (real outage) [lease_over]" in done.why(0, "rollbacks")
    assert toolkit.nothing_left()


def test_outside_the_windows_of_the_inventory_it_is_refused(toolkit: Toolkit) -> None:
    path = toolkit.place / "inventory.yaml"
    frozen = "{name: holidays, time_zone: UTC, from: '2000-01-01', to: '2100-12-31'}"
    path.write_text(f"{path.read_text()}rails: {{freezes: [{frozen}]}}\n")
    done = toolkit.run([toolkit.inject()])
    assert "holidays" in done.why(0)
    assert done.why(0).rstrip().endswith("[freeze]")
    assert toolkit.nothing_left()


def test_one_that_is_not_proven_is_taken_back(toolkit: Toolkit) -> None:
    mark = toolkit.place / "mark"
    arguments = {
        "inject": ["/usr/bin/touch", str(mark)],
        "prove": ["/usr/bin/test", "-e", str(toolkit.place / "another")],
        "revert": ["/bin/rm", "-f", str(mark)],
    }
    done = toolkit.run([toolkit.inject(driver="command", arguments=arguments), probe("faults_out")], [REVERT])
    assert "left is not proven injected" in done.why(0)
    assert "[not_proven]" in done.why(0)
    assert done.output(1) == 0
    assert not mark.exists()


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"arguments": {"interfaces": "left"}}, "arguments.interfaces: unknown key (did you mean interface?)"),
        ({"arguments": {}}, "arguments: is empty"),
        ({"arguments": ["left"]}, "inject_fault: arguments is ['left'], allowed: a mapping"),
        ({"arguments": {"interface": "left; reboot"}}, "arguments.interface: is 'left; reboot'"),
        ({"driver": "lnik"}, "driver: is 'lnik', no driver, allowed: one of ace, bird"),
        ({"target": "here"}, "target: here may not be touched, allowed: allowed_targets of the inventory: box"),
        ({"takes": ["dc9"]}, "takes: dc9 is no node and no site"),
        ({"takes": ["dc1", "dc1"]}, "a second time"),
        ({"takes": "dc1"}, "inject_fault: takes is 'dc1', allowed: a list of text"),
        ({"lease_s": 0.5}, "lease_s: is '0.5', allowed: a number from 1 to"),
        ({"lease_s": "60"}, "inject_fault: lease_s is '60', allowed: a number"),
        ({"lease_s": True}, "inject_fault: lease_s is True, allowed: a number"),
        ({"name": "a b"}, "name: is 'a b', allowed: a name of letters"),
        ({"name": ""}, "inject_fault: name is '', allowed: text that is not empty"),
        ({"inventory": "/nowhere.yaml"}, "/nowhere.yaml:1: (file): cannot be read"),
    ],
)
def test_bad_arguments_are_refused(toolkit: Toolkit, others: dict[str, Any], words: str) -> None:
    done = toolkit.run([toolkit.inject(**others)])
    assert done.of() == [("inject_fault", "failed")]
    assert words in done.why(0)
    assert not list(toolkit.run_directory.glob("*")), "no guard was asked"


def test_two_of_one_name_are_refused_and_another_inventory_names_its_vantages(toolkit: Toolkit) -> None:
    method = [
        toolkit.inject(),
        toolkit.inject("right", name="left"),
        probe("answered_by", inventory=inventory(toolkit), vantage="v9"),
    ]
    done = toolkit.run(method, [REVERT])
    assert "left: a fault of this name is out already [same_name]" in done.why(1)
    assert "vantage 'v9' is not in the inventory; it has v1" in done.why(2)
    assert toolkit.nothing_left()


def test_discover_lists_every_activity_with_typed_arguments(toolkit: Toolkit) -> None:
    path = toolkit.place / "discovered.json"
    argv = [*COMMAND, "discover", "--no-install", "--discovery-path", str(path), "chaostoolkit-vipchaos"]
    subprocess.run(argv, check=True, capture_output=True, cwd=toolkit.place)
    found = json.loads(path.read_text())
    assert found["extension"]["name"] == "chaostoolkit-vipchaos"
    listed = {(each["type"], each["name"]) for each in found["activities"]}
    assert listed == {
        *(("action", name) for name in ("inject_fault", "revert_fault", "run_experiments", "stop")),
        *(("probe", name) for name in ("answered_by", "faults_out", "outcome", "sites_announcing", "worst_outage_ms")),
    }
    types = {
        (each["name"], argument["name"]): argument["type"]
        for each in found["activities"]
        for argument in each["arguments"]
    }
    assert "object" not in types.values()
    assert types["inject_fault", "takes"] == "list"
    assert types["inject_fault", "arguments"] == "mapping"
    assert types["inject_fault", "lease_s"] == "number"
    assert all(each["doc"] and each["return_type"] != "object" for each in found["activities"])
    page = PAGE.read_text()
    assert all(f"| `{name}` |" in page for _, name in listed), "docs/chaos-toolkit.md names each"


def test_the_documented_experiments_are_valid(toolkit: Toolkit) -> None:
    for number, text in enumerate(documented()):
        path = toolkit.place / f"documented-{number}.json"
        path.write_text(text)
        subprocess.run([*COMMAND, "validate", str(path)], check=True, capture_output=True, cwd=ROOT)
    assert len(documented()) == 2
