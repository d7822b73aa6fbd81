"""How a call reaches the REST interface of a device: by HTTPS, its certificate verified, with a token for each call.

The login is that of BIG-IP's iControl REST: a token for user and password, which is given back after the call.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chaos.credentials import user_and_password
from chaos.reply import Reply
from core.errors import ConfigError
from core.inventory import Host

CALL_TIMEOUT_S = 15.0
"""For login, call and logout together."""
CONNECT_TIMEOUT_S = 5.0
PORT = 443
LARGEST_BYTES = 4_000_000
LOGIN = "/mgmt/shared/authn/login"
TOKENS = "/mgmt/shared/authz/tokens"
RESTARTING = "Configuration Utility restarting"
_TOKEN = re.compile(r"[A-Za-z0-9._-]{1,200}\Z")


class _RefusedError(Exception):
    """A call that did not go well: the status, or -1 where there is none, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Rest:
    """A REST interface that speaks JSON. A command is the method, the path, and the body where there is one.

    A reply has the code 0 and the JSON text as `out`; otherwise the HTTP status as its code, or -1.
    """

    host: Host

    def look(self, argv: Sequence[str]) -> Reply:
        """See `Target.look`."""
        if argv[0] != "GET":
            return Reply(tuple(argv), -1, "", f"{argv[0]} does not only read")
        return self._call(argv)

    def prepare(self, argv: Sequence[str]) -> Reply:
        """See `Target.prepare`."""
        return self._call(argv)

    def do(self, argv: Sequence[str]) -> Reply:
        """See `Target.do`."""
        return self._call(argv)

    def _call(self, argv: Sequence[str]) -> Reply:
        method, path, *body = argv
        try:
            words = _login_words(self.host)
            with _line(self.host) as line, _logged_in(line, words) as token:
                said = _ask(line, method, path, body[0] if body else None, {"X-F5-Auth-Token": token})
        except _RefusedError as error:
            return Reply(tuple(argv), error.status, "", f"{self.host.name}: {error}")
        except ConfigError as error:
            return Reply(tuple(argv), -1, "", str(error))
        return Reply(tuple(argv), 0, said, "")


@contextlib.contextmanager
def _line(host: Host) -> Iterator[http.client.HTTPSConnection]:
    """Yield a connection that is cut when the time is over, however slowly the far end speaks."""
    over = threading.Event()
    try:
        context = ssl.create_default_context(cafile=host.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise _RefusedError(-1, f"{host.ca_file} is no file of authorities ({error})") from error
    line = http.client.HTTPSConnection(host.target, host.port or PORT, timeout=CONNECT_TIMEOUT_S, context=context)

    def cut() -> None:
        over.set()
        if line.sock is not None:
            with contextlib.suppress(OSError):
                # Below TLS: what is still said fails, and is not said in the clear.
                socket.socket.shutdown(line.sock, socket.SHUT_RDWR)

    timer = threading.Timer(CALL_TIMEOUT_S, cut)
    timer.daemon = True
    try:
        timer.start()
        line.connect()
        # From here on it is the timer that ends what takes too long.
        line.sock.settimeout(CALL_TIMEOUT_S)
        yield line
    except ssl.SSLCertVerificationError as error:
        why = f"its certificate is not accepted ({error.verify_message}); nothing was sent. See `ca_file`"
        raise _RefusedError(-1, why) from error
    except (OSError, http.client.HTTPException) as error:
        why = f"no end within {CALL_TIMEOUT_S:g} s" if over.is_set() else f"{type(error).__name__}: {error}"
        raise _RefusedError(-1, why) from error
    finally:
        timer.cancel()
        line.close()


@contextlib.contextmanager
def _logged_in(line: http.client.HTTPSConnection, words: str) -> Iterator[str]:
    """Yield a token, and give it back: a user may have about a hundred."""
    token = _token(_ask(line, "POST", LOGIN, words, {}))
    try:
        yield token
    finally:
        # Where this fails the token ends by itself, after 20 minutes.
        with contextlib.suppress(_RefusedError, OSError, http.client.HTTPException):
            _ask(line, "DELETE", f"{TOKENS}/{token}", None, {"X-F5-Auth-Token": token})


def _login_words(host: Host) -> str:
    user, password = user_and_password(host)
    return json.dumps({"username": user, "password": password, "loginProviderName": "tmos"})


def _token(said: str) -> str:
    try:
        token = json.loads(said)["token"]["token"]
    except (LookupError, TypeError):
        token = None
    if not isinstance(token, str) or not _TOKEN.match(token):
        raise _RefusedError(-1, "its login gave no token")
    return token


def _ask(line: http.client.HTTPSConnection, method: str, path: str, body: str | None, more: dict[str, str]) -> str:
    """Return the JSON text of the answer. Raises _RefusedError, and what http.client raises."""
    line.request(method, path, body and body.encode(), {"Content-Type": "application/json", **more})
    answer = line.getresponse()
    data = answer.read(LARGEST_BYTES + 1)
    if len(data) > LARGEST_BYTES:
        line.close()  # what else is asked, is asked anew
        raise _RefusedError(-1, f"its answer to {method} is larger than {LARGEST_BYTES} bytes")
    if answer.length:
        raise http.client.IncompleteRead(data, answer.length)
    text = data.decode("utf-8", errors="replace")
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if answer.status == http.HTTPStatus.UNAUTHORIZED and path == LOGIN:
        raise _RefusedError(answer.status, "401: the user or the password is not accepted")
    if RESTARTING in text:
        raise _RefusedError(answer.status, f"{answer.status}: its REST interface is starting anew; try later")
    if not http.HTTPStatus.OK <= answer.status < http.HTTPStatus.MULTIPLE_CHOICES:
        raise _RefusedError(answer.status, f"{answer.status}: {_words(found, text) or answer.reason}")
    if found is None:
        raise _RefusedError(-1, f"its answer to {method} is no JSON: {_words(None, text) or 'nothing'}")
    return text


def _words(found: object, text: str) -> str:
    message = found.get("message") if isinstance(found, dict) else None
    return " ".join((message if isinstance(message, str) else text).split())[:120]
