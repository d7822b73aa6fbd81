"""The transport `ssh`, the system's client, against a real sshd: what arrives, what is refused, what ends in time."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos import lease as leases
from chaos import ssh
from chaos.driver import Term
from chaos.drivers import DRIVERS
from chaos.guard.way_back import cuts_its_revert
from chaos.reply import COMMAND_TIMEOUT_S, Reply
from chaos.transport import at
from core.inventory import Host
from core.lease import Lease, LeasedFault
from core.records import FaultPhase, FaultStep
from tests.chaos.sshd import Sshd
from tests.waiting import wait_for

SAY_WORDS = "import json, sys; json.dump(sys.argv[1:], sys.stdout)"
WORDS = ["", " ", "two words", "'", '"', "it's", "$(id)", "`id`", "$HOME", "a\nb\n", "*", "~", "-n", ";", "&&", "\\"]
WORDS += ["!!", "#", "ä", "%s", "a=b", "\t", "{a,b}", "|", ">f"]
TERM = Term("one.fault", 0)


def timed(host: Host, *argv: str) -> tuple[Reply, float]:
    began_s = time.monotonic()
    return at(host).look(argv), time.monotonic() - began_s


def test_words_arrive_as_they_are_over_one_connection(sshd: Sshd) -> None:
    reply = at(sshd.host).look([sys.executable, "-c", SAY_WORDS, *WORDS])
    assert (reply.code, json.loads(reply.out), reply.error) == (0, WORDS, "")
    assert reply.argv[:2] == ("ssh", "box")
    for _ in range(10):
        assert at(sshd.host).do(["/bin/echo", "here"]).out == "here\n"
    assert sshd.log.count("Accepted publickey") == 1
    assert [path.stat().st_mode & 0o777 for path in (ssh.CONTROL, *ssh.CONTROL.iterdir())] == [0o700, 0o600]


@settings(max_examples=40)
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=4))
def test_any_words_pass_a_shell(words: list[str]) -> None:
    far = ssh.far_command([sys.executable, "-c", SAY_WORDS, *words], "token")
    done = subprocess.run(["sh", "-c", far], capture_output=True, check=True)
    assert json.loads(done.stdout) == words
    assert done.stderr == b"\ntoken 0\n"


def test_what_a_command_ended_with(sshd: Sshd) -> None:
    for code in (0, 1, 3, 255):
        reply = at(sshd.host).look(["/bin/sh", "-c", f"echo out; echo error >&2; exit {code}"])
        assert (reply.code, reply.out, reply.error) == (code, "out\n", "error\n")
    assert at(sshd.host).look(["/bin/sh", "-c", "kill -KILL $$"]).code == 137
    missing = at(sshd.host).look(["/no/such/program"])
    assert (missing.code, "No such file" in missing.error) == (127, True)
    assert at(sshd.host).look(["/bin/sh", "-c", "cat"]).code == 0, "there is nothing to read"


def test_a_host_key_that_is_not_known_or_not_the_same(sshd: Sshd) -> None:
    none, other = sshd.directory / "none", sshd.directory / "other"
    unknown, _ = timed(replace(sshd.host, known_hosts=str(none)), "touch", "/nothing")
    assert unknown.code == -1
    assert unknown.error == (
        f"ssh to box: the host key of 10.78.1.2 is not in {none}; nothing was sent. Compare it, then put it there"
    )
    assert not none.exists(), "nothing is written where the operator's keys are"
    changed = at(replace(sshd.host, known_hosts=sshd.known(sshd.directory / "stranger.pub", other))).look(["true"])
    assert changed.code == -1
    assert "another machine answers, or its key was changed; nothing was sent" in changed.error
    assert "Accepted" not in sshd.log


def test_who_may_not_log_in(sshd: Sshd) -> None:
    reply = at(replace(sshd.host, identity_file=str(sshd.directory / "stranger"))).look(["true"])
    assert (reply.code, reply.error) == (-1, "ssh to box: root@10.78.1.2: Permission denied (publickey,password).")
    assert at(sshd.host).look(["true"]).code == 0
    wrong = at(replace(sshd.host, identity_file=str(sshd.directory / "stranger"))).look(["true"])
    assert wrong.code == -1, "a connection made with one key is not used where another is named"
    closed = at(replace(sshd.host, port=2223)).look(["true"])
    assert closed.code == -1
    assert "Connection refused" in closed.error


def test_a_frozen_sshd_is_an_error_in_time(sshd: Sshd) -> None:
    assert at(sshd.host).look(["true"]).code == 0
    sshd.signal(signal.SIGSTOP)
    held, held_s = timed(sshd.host, "true")
    fresh, fresh_s = timed(replace(sshd.host, name="again"), "true")
    sshd.signal(signal.SIGCONT)
    assert (held.code, fresh.code) == (-1, -1)
    assert max(held_s, fresh_s) < COMMAND_TIMEOUT_S + 1
    assert "ssh to box: " in held.error
    assert "timed out" in fresh.error
    wait_for(lambda: at(sshd.host).look(["true"]).code == 0, 20)


def test_a_connection_that_is_lost_in_the_middle(sshd: Sshd) -> None:
    replies: list[Reply] = []
    thread = threading.Thread(target=lambda: replies.append(at(sshd.host).look(["sleep", "3.25"])))
    thread.start()
    wait_for(lambda: subprocess.run(["pgrep", "-f", "^sleep 3.25"], capture_output=True, check=False).stdout, 10)
    sshd.signal(signal.SIGKILL, sessions_only=True)
    thread.join(COMMAND_TIMEOUT_S + 1)
    assert [reply.code for reply in replies] == [-1]
    assert replies[0].error.startswith("ssh to box: ")
    assert at(sshd.host).look(["true"]).code == 0, "the next one makes a new connection"
    assert sshd.log.count("Accepted publickey") == 2


def test_a_command_without_end_is_ended_at_both_ends(sshd: Sshd) -> None:
    reply, took_s = timed(sshd.host, "sleep", "61.5")
    assert (reply.code, reply.error) == (-1, "no end within 4 s")
    assert took_s < COMMAND_TIMEOUT_S + 1
    assert subprocess.run(["pgrep", "-f", "^sleep 61.5"], capture_output=True, check=False).stdout == b""


def test_more_commands_at_once_than_one_connection_carries(sshd: Sshd) -> None:
    with ThreadPoolExecutor(20) as pool:
        replies = list(
            pool.map(lambda number: at(sshd.host).look(["sh", "-c", f"sleep 0.5; echo {number}"]), range(20))
        )
    assert [(reply.code, reply.out) for reply in replies] == [(0, f"{number}\n") for number in range(20)]


def test_no_connection_is_shared_where_others_could_use_it(sshd: Sshd) -> None:
    ssh.CONTROL.mkdir(mode=0o755)
    for _ in range(2):
        assert at(sshd.host).look(["true"]).code == 0
    assert sshd.log.count("Accepted publickey") == 2
    assert not list(ssh.CONTROL.iterdir())


@pytest.mark.parametrize(
    ("driver", "arguments"),
    [
        ("link", {"interface": "left"}),
        ("nft", {"action": "drop", "hook": "input", "protocol": "udp", "destination_port": 7000}),
    ],
)
def test_a_fault_by_ssh_and_its_lease(sshd: Sshd, tmp_path: Path, driver: str, arguments: dict[str, object]) -> None:
    fault, target = DRIVERS[driver], at(sshd.host)
    before = state(sshd)
    prior = fault.prior(target, arguments, Term("one.fault", time.monotonic_ns() + 60_000_000_000))
    assert prior is not None
    for _ in range(2):
        assert fault.inject(target, arguments, prior).code == 0
        assert fault.is_out(target, arguments, prior)[0] is True
    assert state(sshd) != before
    leased = LeasedFault("fault", driver, sshd.host, arguments, prior)
    path, steps = tmp_path / "one.json", list[FaultStep]()
    leases.write(
        path, Lease("one", "run", "exp", time.monotonic_ns(), leases.boot_id(), str(tmp_path / "g"), (leased,))
    )
    assert leases.read(path).faults[0].host == sshd.host
    assert leases.release(path, steps.append, 10)
    assert [step.phase for step in steps] == [FaultPhase.REVERTING, FaultPhase.REVERTED, FaultPhase.REVERT_PROVEN]
    assert state(sshd) == before


def state(sshd: Sshd) -> tuple[str, bool]:
    inside = ["ip", "netns", "exec", sshd.namespace]
    tables = subprocess.run([*inside, "nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    link = subprocess.run([*inside, "ip", "link", "show", "left"], capture_output=True, text=True, check=True).stdout
    return tables, ",UP" in link


def test_a_fault_that_would_cut_its_own_way_back_is_refused(sshd: Sshd) -> None:
    """By the real connection: the interface that it comes in by, the daemon that carries it, and nothing else."""

    def refused(driver: str, arguments: dict[str, object]) -> str:
        found = cuts_its_revert(LeasedFault("fault", driver, sshd.host, arguments, {}))
        return found.reason if found else ""

    assert refused("link", {"interface": "uplink"}) == "cuts_revert_path"
    assert refused("link", {"interface": "left"}) == ""
    assert refused("process", {"name": "sshd"}) == "cuts_revert_path"
    assert refused("bird", {"protocol": "rhi"}) == "", "the route back is the kernel's own"
    subprocess.run(
        ["ip", "-n", sshd.namespace, "route", "add", "10.78.1.1/32", "dev", "uplink", "proto", "bird"], check=True
    )
    assert refused("bird", {"protocol": "rhi"}) == "cuts_revert_path", "a routing daemon's"
    sshd.signal(signal.SIGSTOP)
    assert refused("link", {"interface": "left"}) == "revert_path_unknown"
    sshd.signal(signal.SIGCONT)


def test_a_host_is_flat() -> None:
    host = Host("box", "ssh", "web1", user="chaos", port=22, identity_file="/key", known_hosts="/known")
    assert Host(**json.loads(json.dumps(asdict(host)))) == host
    assert Host(name="c1", transport="netns", target="c1") == Host("c1", "netns", "c1")
