"""`vipchaos baseline` and `vipchaos compare`: sets of runs, verdicts, limits and exit codes."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from core.records import RunStarted
from store.runs import CONTROLLER
from tests.cli.test_commands import vipchaos
from tests.recorded.synthetic import WALL_NS, Synthetic

DAY_NS = 86_400_000_000_000


@dataclass
class Limited(Synthetic):
    """The same, with a limit in its first experiment."""

    limit_s: float | None = None

    @property
    def experiments(self) -> tuple[str, ...]:
        first, *others = super().experiments
        return (first if self.limit_s is None else f"{first}\nslower_limit_s: {self.limit_s}\n", *others)


def make(home: Path, day: int, outage_s: float, limit_s: float | None = None, sessions: int = 8) -> str:
    name = f"202611{day:02}-120000-run-{day:04x}"
    made = Limited(
        sessions=sessions, seconds=60, node_outage_s=outage_s, seed=day, run=name, period_ns=20_000_000, limit_s=limit_s
    )
    started, *rest = made.records[CONTROLLER]
    assert isinstance(started, RunStarted)
    made.records[CONTROLLER] = [replace(started, wall_ns=WALL_NS + day * DAY_NS), *rest]
    made.write(home / "runs" / name)
    return name


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six runs, the baseline."""
    home = tmp_path_factory.mktemp("compared")
    for day in range(1, 7):
        make(home, day, 0.30 + day / 100)
    done = vipchaos("baseline", "set", "20261106", VIPCHAOS_HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert "node-failover: 6 trials are the baseline" in done.stdout
    return home


@pytest.fixture
def home(before: Path, tmp_path: Path) -> Path:
    """A copy of it, for a test's own newer runs."""
    (tmp_path / "runs").mkdir()
    for path in (before / "runs").iterdir():
        (tmp_path / "runs" / path.name).symlink_to(path)
    (tmp_path / "baselines").mkdir()
    for path in (before / "baselines").iterdir():
        (tmp_path / "baselines" / path.name).write_text(path.read_text())
    return tmp_path


@pytest.mark.parametrize(
    ("outage_s", "limit_s", "code", "said"),
    [
        (0.60, 0.1, 1, "slower"),
        (0.60, 0.5, 0, "slower"),
        (0.60, None, 0, "slower"),
        (0.33, 0.1, 0, "same"),
        (0.10, 0.1, 0, "faster"),
    ],
)
def test_newer_runs_against_the_baseline(
    home: Path, outage_s: float, limit_s: float | None, code: int, said: str
) -> None:
    for day in range(10, 15):
        make(home, day, outage_s + day % 3 / 50, limit_s)
    done = vipchaos("compare", "last", "--json", "-", VIPCHAOS_HOME=str(home))
    assert done.returncode == code, done.stderr
    document = json.loads(done.stdout)
    assert len(document["newer"]["node-failover"]) == 5
    assert len(document["older"]["node-failover"]) == 6
    figures = {(each["experiment"], each["figure"]): each for each in document["compared"]}
    found = figures["node-failover", "failover data plane"]
    assert (found["verdict"], found["beyond_limit"], found["slower_limit_s"]) == (said, code == 1, limit_s)
    assert found["low_s"] <= found["shift_s"] <= found["high_s"]
    assert found["confidence"] >= 0.95
    assert figures["site-failover", "failover data plane"]["verdict"] == "same"
    table = vipchaos("compare", "node-failover", VIPCHAOS_HOME=str(home))
    assert table.returncode == code
    assert "5 newer runs against the baseline" in table.stdout
    assert ("EXCEEDED" in table.stdout) == (code == 1)
    assert "site-failover" not in table.stdout


def test_too_few_trials_are_5(home: Path) -> None:
    make(home, 10, 0.9, 0.1)
    done = vipchaos("compare", "last", VIPCHAOS_HOME=str(home))
    assert done.returncode == 5
    assert "not enough trials" in done.stdout
    assert "takes 4 and 4, 3 and 5" in done.stdout


def test_two_runs_stand_for_those_before_them(home: Path) -> None:
    done = vipchaos("compare", "20261102", "20261106", VIPCHAOS_HOME=str(home))
    assert done.returncode == 5
    assert "4 newer runs against 2 older ones" in done.stdout
    swapped = vipchaos("compare", "20261106", "20261102", VIPCHAOS_HOME=str(home))
    assert swapped.returncode == 2
    assert "the older one comes first" in swapped.stderr


def test_a_series_stands_for_itself(home: Path) -> None:
    names = [make(home, day, 0.6) for day in range(10, 16)]
    series = home / "trials" / "one"
    series.mkdir(parents=True)
    document = {"trials": [{"run": name, "outcome": "PASSED"} for name in names[:4]]}
    (series / "trials.json").write_text(json.dumps(document))
    done = vipchaos("compare", names[1], "--json", "-", VIPCHAOS_HOME=str(home))
    assert json.loads(done.stdout)["newer"]["node-failover"] == names[:4]


def test_what_was_measured_in_another_way_is_refused(home: Path) -> None:
    make(home, 20, 0.3, sessions=16)
    done = vipchaos("compare", "last", VIPCHAOS_HOME=str(home))
    assert done.returncode == 2
    assert "vantage c1: 2 sessions, a heartbeat each 0.02 s, now 4 sessions" in done.stderr


def test_wrong_calls_say_what_to_do(home: Path, tmp_path: Path) -> None:
    inside = vipchaos("compare", "20261103", VIPCHAOS_HOME=str(home))
    assert inside.returncode == 2
    assert "is in the baseline itself" in inside.stderr
    (home / "baselines" / "node-failover.json").write_text("{")
    broken = vipchaos("compare", "20261103", VIPCHAOS_HOME=str(home))
    assert broken.returncode == 2
    assert "makes no sense" in broken.stderr
    for path in (home / "baselines").iterdir():
        path.unlink()
    none = vipchaos("compare", "20261103", VIPCHAOS_HOME=str(home))
    assert none.returncode == 2
    assert "`vipchaos baseline set RUN` sets one" in none.stderr
    unknown = vipchaos("baseline", "set", "nonsense", VIPCHAOS_HOME=str(tmp_path / "empty"))
    assert unknown.returncode == 2
    assert "not found" in unknown.stderr


def test_baselines_are_listed_and_outlive_their_runs(home: Path) -> None:
    listed = vipchaos("baseline", "list", VIPCHAOS_HOME=str(home))
    assert "node-failover: 6 trials" in listed.stdout
    for path in (home / "runs").iterdir():
        path.unlink()
    for day in range(10, 15):
        make(home, day, 0.6)
    done = vipchaos("compare", "last", "--json", "-", VIPCHAOS_HOME=str(home))
    assert done.returncode == 0, done.stderr
    document = json.loads(vipchaos("baseline", "list", "--json", VIPCHAOS_HOME=str(home)).stdout)
    assert [each["experiment"] for each in document][:1] == ["node-failover"]
    empty = vipchaos("baseline", "list", VIPCHAOS_HOME=str(home / "other"))
    assert "no baselines yet" in empty.stderr
