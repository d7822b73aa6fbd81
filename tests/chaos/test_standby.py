"""An injection at its instant: the program that waits for its order does what the program alone would do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from chaos import standby
from chaos.standby import Standby
from chaos.transport import Reply, at
from core.inventory import Host
from tests.chaos.guarding import out

TABLE = "table inet vipchaos_fault_test { chain fault { type filter hook input priority -500; policy accept; drop; }; }"
WAIT_NS = 150_000_000


def do(host: Host, argv: Sequence[str]) -> tuple[Reply, int, int]:
    """The reply, when it was planned, and when it was begun."""
    at_ns = time.monotonic_ns() + WAIT_NS
    target = Standby(host, at(host), at_ns)
    reply = target.do(argv)
    return reply, at_ns, target.began_ns


@pytest.mark.parametrize(
    "argv", [("ip", "link", "set", "dev", "left", "down"), ("nft", TABLE), ("ip", "netns", "list"), ("true",)]
)
def test_not_ahead_of_its_instant(host: Host, argv: tuple[str, ...]) -> None:
    reply, at_ns, began_ns = do(host, argv)
    assert reply.code == 0, reply.words
    assert at_ns <= began_ns <= time.monotonic_ns()
    assert reply.argv[-len(argv) :] == argv, "the words are those of the command, however it was told"


def test_it_does_what_the_command_does(host: Host) -> None:
    do(host, ("ip", "link", "set", "dev", "left", "down"))
    assert out(host) == {"left": True, "right": False}
    do(host, ("nft", TABLE))
    assert "vipchaos_fault_test" in at(host).look(["nft", "list", "tables"]).out


@pytest.mark.parametrize("argv", [("ip", "link", "set", "dev", "gone", "down"), ("nft", "nonsense"), ("false",)])
def test_what_fails_is_told_as_failed(host: Host, argv: tuple[str, ...]) -> None:
    reply, _, _ = do(host, argv)
    assert reply.code not in (0, -1)


def test_a_program_that_is_not_there_could_not_be_started(tmp_path: Path) -> None:
    reply, _, _ = do(Host("here", "local", ""), (str(tmp_path / "none"),))
    assert reply.code == -1


def test_one_that_does_not_end_is_ended(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby, "COMMAND_TIMEOUT_S", 0.2)
    monkeypatch.setattr(standby, "_ahead", lambda _: (("sleep", "60"), ""))
    reply, _, _ = do(host, ("nft", TABLE))
    assert (reply.code, reply.error) == (-1, "no end within 0.2 s")


def test_only_the_first_command_waits(host: Host) -> None:
    at_ns = time.monotonic_ns() + WAIT_NS
    target = Standby(host, at(host), at_ns)
    assert target.look(["true"]).code == 0
    assert (target.began_ns, time.monotonic_ns() < at_ns) == (0, True)
    target.do(["true"])
    began_ns = target.began_ns
    target.do(["true"])
    assert target.began_ns == began_ns
