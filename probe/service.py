"""What a service behind the VIP is asked, and what its answer tells of who answers: the modes of a session.

Sans-IO: a Dialogue makes one question and takes in the bytes that come; it knows no socket and no clock.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

import h11

from core.inventory import Address, Mode, Pattern, Service

LONGEST_LINE = 256
LONGEST_ANSWER = 1 << 16
REMEMBERED_ANSWERS = 200
REMEMBERED_BYTES = 4_096
_HTTP = b"HTTP/"
_DATE = re.compile(rb"\r\nDate: [^\r\n]*", re.IGNORECASE)
_BIGIP = re.compile(r"BIGipServer[^=]*=(\d{1,10})\.(\d{1,5})\.0000")


@dataclass(frozen=True, slots=True)
class Seen:
    """What an answer tells: the client's address that the service saw, its server's name, its site; '' or None: not."""

    client: Address | None
    server: str
    site: str = ""


@dataclass(frozen=True, slots=True)
class Wrong:
    """The service does not speak what the inventory says; `words` tell what it said and what to do."""

    words: str


class Dialogue(Protocol):
    """One question and its answer."""

    def question(self, token: int) -> bytes:
        """Return the bytes to send."""
        ...

    def take(self, data: bytes) -> Seen | Wrong | None:
        """Take in bytes of the answer; None while it is not whole."""
        ...


def dialogue(service: Service) -> Dialogue | None:
    """Return what asks this service, or None where nothing is asked: keepalive, and tls without a path."""
    if service.mode is Mode.LINE:
        return Line()
    return Http(service) if service.asks_http else None


class Line:
    """The reflector's protocol: `W token` is answered by `A token address port name`."""

    def __init__(self) -> None:
        self._pending = b""

    def question(self, token: int) -> bytes:
        """See `Dialogue.question`."""
        return b"W %x\n" % token

    def take(self, data: bytes) -> Seen | Wrong | None:
        """See `Dialogue.take`."""
        self._pending += data
        line, end, _ = self._pending.partition(b"\n")
        if not end and len(line) <= LONGEST_LINE:
            return None
        words = line.decode("ascii", "replace").split()
        try:
            mark, _, client, _, server = words
            if mark == "A":
                return Seen(ip_address(client), server)
        except ValueError:
            pass
        return _wrong(Mode.LINE, line)


class _Known:
    """What is the same in every dialogue with one HTTP service: the request, and answers that were read before."""

    def __init__(self, service: Service) -> None:
        self.request = h11.Request(
            method="GET",
            target=service.path,
            headers=[("Host", service.host), ("User-Agent", "vipchaos"), ("X-Vipchaos", "0")],
        )
        connection = h11.Connection(h11.CLIENT)
        sent = (connection.send(self.request) or b"") + (connection.send(h11.EndOfMessage()) or b"")
        self.before, _, self.after = sent.rpartition(b"0")
        self.answers: dict[bytes, Seen] = {}

    def remember(self, answer: bytes, seen: Seen) -> None:
        """Remember what an answer that was read whole tells, up to a bound."""
        if len(self.answers) < REMEMBERED_ANSWERS and len(answer) <= REMEMBERED_BYTES:
            self.answers[_DATE.sub(b"", answer, count=1)] = seen


_known = functools.lru_cache(maxsize=4)(_Known)


class Http:
    """One request on a connection that is kept alive, and what the patterns find in its answer.

    An answer that came whole and tells what one before told, byte for byte but for its date, is not read again.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._known = _known(service)
        self._connection: h11.Connection | None = None
        self._headers: list[tuple[str, str]] = []
        self._body = b""
        self._first = b""
        self._whole = b""

    def question(self, token: int) -> bytes:
        """See `Dialogue.question`."""
        return b"%b%x%b" % (self._known.before, token, self._known.after)

    def take(self, data: bytes) -> Seen | Wrong | None:
        """See `Dialogue.take`."""
        if not self._whole:
            seen = self._known.answers.get(_DATE.sub(b"", data, count=1))
            if seen is not None:
                return seen
        if len(self._whole) <= REMEMBERED_BYTES:
            self._whole += data
        if len(self._first) < len(_HTTP):
            self._first += data[:64]
        if self._first[: len(_HTTP)] != _HTTP[: len(self._first)]:
            return _wrong(self._service.mode, self._first)  # h11 would wait for the end of such a head
        return self._read(data)

    def _read(self, data: bytes) -> Seen | Wrong | None:
        if self._connection is None:
            self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=LONGEST_ANSWER)
            self._connection.send(self._known.request)
            self._connection.send(h11.EndOfMessage())
        try:
            self._connection.receive_data(data)
            while True:
                event = self._connection.next_event()
                if isinstance(event, h11.Response):
                    self._headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers]
                elif isinstance(event, h11.Data):
                    self._body = (self._body + bytes(event.data))[:LONGEST_ANSWER]
                elif isinstance(event, h11.EndOfMessage):
                    seen = self._seen()
                    if not self._connection.trailing_data[0]:
                        self._known.remember(self._whole, seen)
                    return seen
                elif event is h11.NEED_DATA or event is h11.PAUSED:
                    return None
        except h11.RemoteProtocolError:
            return _wrong(self._service.mode, self._first)

    def _seen(self) -> Seen:
        service = self._service
        client = self._find(service.client)
        try:
            address = ip_address(client) if client else None
        except ValueError:
            address = None
        return Seen(address, self._find(service.server) or self._cookie(), self._find(service.site))

    def _find(self, pattern: Pattern | None) -> str:
        if pattern is None:
            return ""
        where = [value for name, value in self._headers if name.lower() == pattern.header.lower()]
        texts = where if pattern.header else [self._body.decode("utf-8", "replace")]
        found = next((match for text in texts if (match := re.search(pattern.expression, text))), None)
        return found[1][:63] if found else ""

    def _cookie(self) -> str:
        """BIG-IP's persistence cookie names the pool member: address and port, each in the host's byte order."""
        cookies = "; ".join(value for name, value in self._headers if name.lower() == "set-cookie")
        return bigip_member(cookies)


def bigip_member(cookie: str) -> str:
    """Return `address:port` of the pool member that a BIGipServer cookie names, or ''."""
    found = _BIGIP.search(cookie)
    if not found or int(found[1]) > 0xFFFFFFFF or int(found[2]) > 0xFFFF:
        return ""
    address = ip_address(int(found[1]).to_bytes(4, "little"))
    return f"{address}:{int.from_bytes(int(found[2]).to_bytes(2, 'little'), 'big')}"


def _wrong(mode: Mode, said: bytes) -> Wrong:
    """Say what the service is rather than what it was taken for, where its first bytes tell."""
    kinds = {
        b"HTTP/": "HTTP: mode http",
        b"SSH-": "SSH: mode keepalive",
        b"\x15\x03": "TLS: mode tls",
        b"A ": "line",
    }
    guess = next((f"it speaks {what}" for mark, what in kinds.items() if said.startswith(mark)), "")
    advice = guess or "set service.mode to line, http, tls or keepalive"
    words = said[:40].decode("ascii", "backslashreplace").strip()
    return Wrong(f"the service does not speak mode {mode}: it said {words!r}; {advice}")


def silent(mode: Mode, seconds: float) -> str:
    """Say that a question stays without an answer although the connection lives."""
    return (
        f"the service has not answered a question of mode {mode} for {seconds:.1f} s although its connection lives: "
        "wrong service.mode, or the application behind the VIP hangs"
    )


def ended(mode: Mode, sessions: int) -> str:
    """Say that the far end ends sessions when they are asked, and has answered none so far."""
    return (
        f"the service has ended {sessions} sessions at a question of mode {mode} and has answered none: wrong "
        "service.mode (line, http, tls or keepalive), or the application behind the VIP refuses"
    )


def ended_unasked(mode: Mode, sessions: int) -> str:
    """Say that the far end ends sessions soon after they are open, though it was asked nothing."""
    return (
        f"the service has ended {sessions} sessions soon after they were open, asked nothing, as mode {mode} does: it "
        "keeps no silent connections. Each is opened again once a second at most; set service.mode to line or http"
    )


def not_kept() -> str:
    """Say that the far end answers and then ends each session: so it cannot hold any."""
    return (
        "the service ends each session soon after its answer, a drop by fin each time: it keeps no connections. Each "
        "is opened again once a second at most; have it keep connections alive, or set service.mode to keepalive"
    )


def no_tls(why: str) -> str:
    """Say that a handshake of TLS fails, and why."""
    return f"the service does not speak TLS: {why}; set service.mode to line, http or keepalive"


def closed(seconds: float, *, refused: bool) -> str:
    """Say that no session could be opened since the start."""
    why = "attempts are refused" if refused else "nothing answers a SYN"
    return f"no session has been opened for {seconds:.1f} s: {why}; is the VIP's address and port right, and served?"
