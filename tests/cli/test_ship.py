"""The command `ship`: its words, its exit codes, and a token that is nowhere to be seen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.ship import moment_ns, ship
from core.errors import CallError
from tests.store.journals import WALL_NS, S, busy, make_run
from tests.store.standin import Said, standing_in
from tests.waiting import wait_for

TOKEN = "hunter2-very-secret"
NOW_NS = 1_800_000_000 * S


class Home:
    """A home with runs, and the command run in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.token = path / "token"
        self.token.write_text(f"{TOKEN}\n")
        self.token.chmod(0o600)
        self.said = ""

    def ship(self, *words: str, code: int = 0, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "cli", "ship", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=os.environ | {"VIPCHAOS_HOME": str(self.path)} | environment,
        )
        self.said += done.stdout + done.stderr
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def status(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.ship("--status", "--json"))["destinations"]
        return found


@pytest.fixture
def own(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_once_then_status_then_again_from_a_moment(own: Home) -> None:
    make_run(own.path / "runs", "r", {"c1": busy("c1", 20)})
    assert own.status() == []
    with standing_in() as there:
        words = ("--url", there.url, "--org", "ops", "--bucket", "b", "--environment", "staging", "--once")
        assert "101 points shipped, 0 refused" in own.ship(*words, "--token-file", str(own.token))
        assert {headers["Authorization"] for _, headers in there.asked} == {f"Token {TOKEN}"}
        assert all(",environment=staging" in line for line in there.lines)
        assert "0 points shipped" in own.ship(*words, VIPCHAOS_INFLUX_TOKEN=TOKEN)
        assert "25 points shipped" in own.ship(*words, "--from", "2026-09-21T14:13:36Z", VIPCHAOS_INFLUX_TOKEN=TOKEN)
    (standing,) = own.status()
    assert standing["destination"] == f"v2 {there.url} ops b"
    assert (standing["state"], standing["lag_records"], standing["dead_letters"]) == ("ended", 0, 0)
    assert standing["accepted"] == 126
    make_run(own.path / "runs", "s", {"c1": busy("c1", 3)})
    (standing,) = own.status()
    assert standing["lag_records"] == 16
    assert standing["lag_s"] > 0
    assert "lag 16 records" in own.ship("--status")
    assert TOKEN not in own.said


def test_what_is_refused_shows_in_the_status(own: Home) -> None:
    make_run(own.path / "runs", "r", {"c1": busy("c1", 5)})

    def answer(lines: list[str]) -> Said:
        return Said(400, f"bad field, {TOKEN}") if any("probe_health" in line for line in lines) else Said(204)

    with standing_in(answer) as there:
        said = own.ship("--url", there.url, "--org", "o", "--bucket", "b", "--once", VIPCHAOS_INFLUX_TOKEN=TOKEN)
    assert "21 points shipped, 5 refused: vipchaos ship --status" in said
    (standing,) = own.status()
    assert standing["dead_letters"] == 5
    assert standing["last_dead"][0]["words"] == "status 400: bad field, ***"
    assert standing["last_dead"][0]["line"].startswith("probe_health,")
    assert "bad field, ***" in own.ship("--status")
    nowhere(own)


@pytest.mark.parametrize(
    ("status", "code", "advice"), [(401, 6, "is the token right"), (404, 4, "InfluxDB 1 wants --api v1")]
)
def test_a_server_that_will_never_take_it(own: Home, status: int, code: int, advice: str) -> None:
    make_run(own.path / "runs", "r", {"c1": busy("c1", 5)})
    with standing_in(lambda _: Said(status, f"no, {TOKEN}")) as there:
        said = own.ship("--url", there.url, "--org", "o", "--bucket", "b", "--token-file", str(own.token), code=code)
    assert f"shipping stops, status {status}: no, ***" in said
    assert advice in said
    assert own.status()[0]["state"] == "stopped"
    nowhere(own)


def nowhere(own: Home) -> None:
    """The token is in no word that was said, and in no file but its own."""
    assert TOKEN not in own.said
    for path in own.path.rglob("*"):
        if path.is_file() and path != own.token:
            assert TOKEN.encode() not in path.read_bytes(), path


def test_the_token_is_in_no_argument_and_a_second_shipper_is_refused(own: Home) -> None:
    make_run(own.path / "runs", "r", {"c1": busy("c1", 5)})
    with standing_in() as there:
        environment = os.environ | {"VIPCHAOS_HOME": str(own.path), "VIPCHAOS_INFLUX_URL": there.url}
        environment |= {"VIPCHAOS_INFLUX_ORG": "o", "VIPCHAOS_INFLUX_BUCKET": "b"}
        environment |= {"VIPCHAOS_INFLUX_TOKEN_FILE": str(own.token)}
        argv = [sys.executable, "-m", "cli", "ship"]
        with subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, text=True) as running:
            wait_for(lambda: there.lines)
            command = Path(f"/proc/{running.pid}/cmdline").read_text()
            assert TOKEN not in command
            assert "another `vipchaos ship` is at work here" in own.ship(
                "--url", there.url, "--org", "o", "--bucket", "b", code=3
            )
            make_run(own.path / "runs", "s", {"c2": busy("c2", 2)})
            wait_for(lambda: any("vantage=c2" in line for line in there.lines))
            running.terminate()
            assert running.stderr is not None
            assert "37 points shipped" in running.stderr.read()
        assert running.returncode == 0
    nowhere(own)


def test_a_token_that_others_may_read_is_refused(own: Home) -> None:
    words = ("--url", "http://127.0.0.1:9", "--org", "o", "--bucket", "b", "--once")
    own.token.chmod(0o640)
    assert f"others may read it: chmod 600 {own.token}" in own.ship(*words, "--token-file", str(own.token), code=6)
    own.token.chmod(0o600)
    own.token.write_text(f"{TOKEN} and more\n")
    assert "want one line with the token" in own.ship(*words, "--token-file", str(own.token), code=2)
    assert "No such file" in own.ship(*words, "--token-file", str(own.path / "none"), code=2)
    nowhere(own)


def test_there_is_no_flag_for_a_token() -> None:
    assert not [name for option in ship.params for name in option.opts if name == "--token"]
    said = CliRunner().invoke(ship, ["--help"]).output
    assert "--token-file" in said
    assert "Examples:" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no server: give --url"),
        (("--json",), "--json goes with --status"),
        (("--url", "http://u:p@h", "--org", "o", "--bucket", "b"), "no user, password or token"),
        (("--url", "http://h", "--org", "o", "--bucket", "b", "--from", "yesterday"), "--from yesterday: want 90m"),
    ],
)
def test_a_call_that_cannot_work(own: Home, words: tuple[str, ...], said: str) -> None:
    assert said in own.ship(*words, code=2)


def test_moments() -> None:
    assert moment_ns("all", NOW_NS) == 0
    assert moment_ns("90m", NOW_NS) == NOW_NS - 5_400 * S
    assert moment_ns("3d", NOW_NS) == NOW_NS - 3 * 86_400 * S
    assert moment_ns("2026-09-21T14:13:20.25+00:00", NOW_NS) == WALL_NS // S * S + S // 4 == WALL_NS + S // 4
    for bad in ("yesterday", "2026-09-21T14:13:20", "-1h", "1w", ""):
        with pytest.raises(CallError, match="--from"):
            moment_ns(bad, NOW_NS)
