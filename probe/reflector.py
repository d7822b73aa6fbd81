"""The reflector behind the VIP: tells a session which source address it saw and by what name it goes.

Request `W <token>` answers `A <token> <peer address> <peer port> <name>`, one line each. It never answers more
than it was asked, caps its connections, and needs no privilege.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import re
import selectors
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

LONGEST_LINE = 64
MOST_CONNECTIONS = 4_096
PR_SET_PDEATHSIG = 1
_REQUEST = re.compile(rb"W ([0-9A-Za-z]{1,16})\r?\Z")


@dataclass(slots=True)
class Peer:
    """One connection: whose it is, and what has come without a newline yet."""

    address: str
    port: int
    pending: bytes = b""


def reply(peer: Peer, data: bytes, name: str) -> bytes | None:
    """Take in `data` and return what to answer; None when the peer does not speak the protocol."""
    lines = (peer.pending + data).split(b"\n")
    peer.pending = lines.pop()
    answers = []
    for line in lines:
        request = _REQUEST.match(line)
        if request is None:
            return None
        answers.append(b"A %s %s %d %s\n" % (request[1], peer.address.encode(), peer.port, name.encode()))
    return None if len(peer.pending) > LONGEST_LINE else b"".join(answers)


class Reflector:
    """Serves on one socket with one thread; `step` waits for traffic and answers it."""

    def __init__(self, name: str, listener: socket.socket, most: int = MOST_CONNECTIONS) -> None:
        self._name = name
        self._most = most
        self._listener = listener
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self.connections = 0

    def step(self, timeout_s: float | None = None) -> None:
        """Handle what is ready, waiting at most `timeout_s`."""
        for key, _ in self._selector.select(timeout_s):
            if key.data is None:
                self._accept()
            else:
                self._serve(key.fileobj, key.data)  # type: ignore[arg-type]

    def _accept(self) -> None:
        try:
            connection, (address, port, *_) = self._listener.accept()
        except OSError:
            return
        if self.connections >= self._most:
            connection.close()
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A peer that went without a word is forgotten after a minute.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        self._selector.register(connection, selectors.EVENT_READ, Peer(address, port))
        self.connections += 1

    def _serve(self, connection: socket.socket, peer: Peer) -> None:
        try:
            data = connection.recv(4096)
            answer = reply(peer, data, self._name) if data else None
            if answer is not None and (not answer or connection.send(answer) == len(answer)):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._selector.unregister(connection)
        connection.close()
        self.connections -= 1


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="Tell sessions who they are and who answers.")
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, default=7000)
    parser.add_argument("--bind", default="0.0.0.0")  # noqa: S104  it stands behind the VIP
    parser.add_argument("--processes", type=int, default=1, help="how many share the port; each has its own limits")
    parser.add_argument("--most", type=int, default=MOST_CONNECTIONS, help="connections that a process holds")
    arguments = parser.parse_args()
    Path("/proc/self/comm").write_text("reflector")  # so that a fault can tell it from any other Python
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    for _ in range(arguments.processes - 1):
        if not os.fork():
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            break
    family = socket.AF_INET6 if ":" in arguments.bind else socket.AF_INET
    address = (arguments.bind, arguments.port)
    with socket.create_server(address, family=family, backlog=4096, reuse_port=True) as listener:
        reflector = Reflector(arguments.name, listener, arguments.most)
        while True:
            reflector.step()


if __name__ == "__main__":
    main()
