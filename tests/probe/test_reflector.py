"""The reflector: answers what it is asked, and outlives those who ask badly."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.reflector import LONGEST_LINE, Peer, Reflector, reply
from tests.waiting import wait_for


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()
    reflector = Reflector("s1", listener)

    def serve() -> None:
        while not ended.is_set():
            reflector.step(0.05)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()
    ended.set()
    thread.join()
    for key in list(reflector._selector.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    reflector._selector.close()


def test_it_tells_who_asks_and_who_answers(address: tuple[str, int]) -> None:
    with socket.create_connection(address, 5) as connection:
        port = connection.getsockname()[1]
        connection.sendall(b"W 1\nW 2")
        assert connection.recv(100) == b"A 1 127.0.0.1 %d s1\n" % port
        connection.sendall(b"b\n")
        assert connection.recv(100) == b"A 2b 127.0.0.1 %d s1\n" % port


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"\n", b"W \n", b"W " + b"1" * 99, b"\x16\x03\x01" * 40])
def test_who_speaks_otherwise_is_let_go(address: tuple[str, int], data: bytes) -> None:
    with socket.create_connection(address, 5) as other, socket.create_connection(address, 5) as good:
        other.sendall(data)
        with contextlib.suppress(ConnectionResetError):
            assert other.recv(100) == b""
        good.sendall(b"W 1\n")
        assert good.recv(100).startswith(b"A 1 ")


def test_a_line_has_a_limit() -> None:
    peer = Peer("10.0.0.1", 1)
    assert reply(peer, b"W " + b"1" * 10, "s") == b""
    assert reply(peer, b"2" * LONGEST_LINE, "s") is None
    assert reply(Peer("10.0.0.1", 1), b"W 1\n" * 3, "s") == b"A 1 10.0.0.1 1 s\n" * 3


@given(st.lists(st.sampled_from([b"W 1\n", b"W abc\r\n", b"W 2", b"\n", b"x\n", b"W " + b"1" * 99]), max_size=20))
def test_there_are_never_more_answers_than_questions_and_each_is_short(parts: list[bytes]) -> None:
    """What comes is cut anywhere. A peer that has said something else once gets nothing any more: it is let go."""
    peer, answered, asked = Peer("2001:db8::1", 65535), b"", b""
    for part in parts:
        asked += part
        answer = reply(peer, part, "s1")
        if answer is None:
            break
        answered += answer
    assert answered.count(b"\n") <= asked.count(b"\n")
    for line in answered.splitlines():
        assert re.fullmatch(rb"A [0-9A-Za-z]{1,16} 2001:db8::1 65535 s1", line)


def test_it_holds_so_many_connections_and_no_more() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        reflector = Reflector("s1", listener, most=2)
        peers = [socket.create_connection(listener.getsockname(), 5) for _ in range(3)]
        for _ in range(6):
            reflector.step(0.05)
        assert reflector.connections == 2
        assert peers[2].recv(1) == b"", "the third is let go at once"
        peers[0].close()
        wait_for(lambda: reflector.step(0.05) or reflector.connections == 1, 5)  # type: ignore[func-returns-value]
        for peer in peers:
            peer.close()
        wait_for(lambda: reflector.step(0.05) or not reflector.connections, 5)  # type: ignore[func-returns-value]
        reflector._selector.close()


def test_it_needs_no_privilege() -> None:
    """Started with every capability taken from it, for good."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    bare = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    argv = [*bare, sys.executable, "-m", "probe.reflector", "--name", "s1", "--bind", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(argv) as process:
        try:
            found: list[bytes] = []

            def answers() -> bool:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as connection:
                    connection.sendall(b"W 1\n")
                    found.append(connection.recv(100))
                return bool(found)

            wait_for(answers, 10)
            assert found[0].startswith(b"A 1 127.0.0.1 ")
            status = Path(f"/proc/{process.pid}/status").read_text()
            assert dict(re.findall(r"^(CapEff|CapPrm|CapBnd):\t(\w+)$", status, re.MULTILINE)) == dict.fromkeys(
                ("CapEff", "CapPrm", "CapBnd"), "0" * 16
            )
        finally:
            process.terminate()
            process.wait(10)
