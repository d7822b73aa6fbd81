"""The reflector: answers what it is asked, and outlives those who ask badly."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from probe.reflector import LONGEST_LINE, Peer, Reflector, reply


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
