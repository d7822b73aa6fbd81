"""A stand-in for a time series server that answers as it is told: any status, half an answer, nothing at all."""

from __future__ import annotations

import gzip
import http.server
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

NOTHING, HALF, HANG_UP, HALF_BODY = -1, -2, -3, -4


@dataclass(frozen=True)
class Said:
    """What the stand-in answers: a status (or one of the above), a body, more headers."""

    status: int
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()


Taken = Callable[[list[str]], Said]


@dataclass
class StandIn:
    """Keeps what it took; `answer` decides on each request's lines."""

    url: str = ""
    answer: Taken = lambda _: Said(204)
    lines: list[str] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    standin: StandIn

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["Content-Encoding"] == "gzip"
        lines = gzip.decompress(body).decode().split("\n")
        self.standin.asked.append((self.path, dict(self.headers)))
        self.standin.sizes.append(len(lines))
        said = self.standin.answer(lines)
        if said.status == NOTHING:
            self.standin.released.wait(20)
        if said.status in (NOTHING, HANG_UP):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if said.status in (HALF, HALF_BODY):
            half = (
                b"HTTP/1.1 204 No Con"
                if said.status == HALF
                else b"HTTP/1.1 400 Bad\r\nContent-Length: 99\r\n\r\nunable"
            )
            self.connection.sendall(half)
            self.close_connection = True
            return
        if said.status == 204:
            self.standin.lines += lines
        self.send_response(said.status)
        for name, value in said.headers:
            self.send_header(name, value)
        if said.status != 204:
            self.send_header("Content-Length", str(len(said.body.encode())))
        self.end_headers()
        if said.status != 204:
            self.wfile.write(said.body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def standing_in(answer: Taken = lambda _: Said(204), certificate: Path | None = None) -> Iterator[StandIn]:
    """A stand-in on loopback; with a certificate (and its key, in one file) it speaks TLS."""
    standin = StandIn(answer=answer)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"standin": standin}))
    server.daemon_threads = True
    standin.url = f"http://127.0.0.1:{server.server_address[1]}"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        standin.url = standin.url.replace("http", "https")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield standin
    finally:
        standin.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
