"""How lines reach the command line of a network device: typed at its prompt by ssh, one by one, and its answers read.

It knows the manners of Cisco's: the prompt `host/context(mode)#`, `(yes/no)? [no]`, errors that begin with `%`.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.reply import Reply
from chaos.ssh import NO_QUESTIONS, options, why
from core.errors import ConfigError
from core.inventory import Host
from store.private import read_private

TALK_TIMEOUT_S = 20.0
"""For a whole conversation, login included: such devices are slow to let one in."""
LARGEST_BYTES = 4_000_000
PAGING_OFF = "terminal length 0"
ANSWERS = ("yes", "no")
ASKPASS = Path(__file__).with_name("askpass")
_PROMPT = r"(?:\A|[\r\n]){host}(?:/[\w.-]+)?(?:\([\w./-]+\))?(?P<mark>[#>]) ?\Z"
_ANY_HOST = r"(?P<host>[A-Za-z0-9][\w.-]*)"
_QUESTION = re.compile(r"[\[(]yes/no[\])][^\r\n]*\Z", re.IGNORECASE)
# Not a message of the log, such as %ACE-6-302022.
_ERROR = re.compile(r"^\s*(?:%(?![A-Z0-9_]+-[0-9]-)|Error:).*", re.MULTILINE)


class _BrokenError(Exception):
    """The conversation cannot go on; the words say why."""


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """The command line of a device. A command is a list of lines; `out` is what the device answered to them.

    A line that is `yes` or `no` is typed where the device asks for one, and nowhere else: where it does not ask, the
    line is left out, and where it asks for one that is not there, nothing more is typed. At the first error the code
    is 1 and the rest is not typed; -1 where the conversation broke off.
    """

    host: Host

    def look(self, argv: Sequence[str]) -> Reply:
        """See `Target.look`."""
        return self._talk(argv)

    def prepare(self, argv: Sequence[str]) -> Reply:
        """See `Target.prepare`."""
        return self._talk(argv)

    def do(self, argv: Sequence[str]) -> Reply:
        """See `Target.do`."""
        return self._talk(argv)

    def _talk(self, argv: Sequence[str]) -> Reply:
        lines = tuple(argv)
        if not all(line.isprintable() for line in lines):
            return Reply(lines, -1, "", "a line has characters that cannot be typed")
        try:
            whole, environment = _client(self.host)
        except ConfigError as error:
            return Reply(lines, -1, "", str(error))
        said: list[str] = []
        try:
            with _Conversation(self.host, whole, environment) as device:
                device.log_in()
                fault = _type_all(device, lines, said)
        except _BrokenError as error:
            return Reply(lines, -1, "\n".join(said), f"{self.host.name}: {error}")
        return Reply(lines, 1 if fault else 0, "\n".join(said), fault)


def _type_all(device: _Conversation, lines: Sequence[str], said: list[str]) -> str:
    """Type the lines, add the answers to `said`; return the first error, or ''."""
    for line in lines:
        if device.asks and line not in ANSWERS:
            raise _BrokenError(f"it asks {said[-1].splitlines()[-1].strip()!r}, and no answer is given")
        if line in ANSWERS and not device.asks:
            continue
        said.append(device.type(line))
        found = _ERROR.search(said[-1])
        if found:
            return f"to {line!r} it said: {found[0].strip()}"
    if device.asks:
        raise _BrokenError(f"it asks {said[-1].splitlines()[-1].strip()!r}, and no answer is given")
    return ""


class _Conversation:
    """One session at the device, from its greeting to the end; cut off when the time is over."""

    def __init__(self, host: Host, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        self._host = host
        self._until_s = time.monotonic() + TALK_TIMEOUT_S
        self._prompt = re.compile(_PROMPT.format(host=_ANY_HOST))
        self.asks = False
        pipe = subprocess.PIPE
        try:
            # A session of its own: ssh must find no terminal to ask at.
            self._ssh = subprocess.Popen(
                argv, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, start_new_session=True
            )
        except OSError as error:
            raise _BrokenError(str(error)) from error

    def __enter__(self) -> _Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        # The device ends the session when the connection ends; a polite `exit` could wait for an answer.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._ssh.pid, signal.SIGKILL)
        self._ssh.communicate()

    def log_in(self) -> None:
        """Wait for the first prompt, and have long answers come in one piece."""
        greeting = self._read("the login")
        found = self._prompt.search(greeting)
        if found is None:
            raise _BrokenError("it asks something before there is a prompt")
        if found["mark"] != "#":
            raise _BrokenError(f"user {self._host.user or 'of ssh'} is not privileged: the prompt ends with >, not #")
        self._prompt = re.compile(_PROMPT.format(host=re.escape(found["host"])))
        fault = _ERROR.search(self.type(PAGING_OFF))
        if fault:
            raise _BrokenError(f"to {PAGING_OFF!r} it said: {fault[0].strip()}")

    def type(self, line: str) -> str:
        """Type a line; return the answer, without the echo and the prompt that follows."""
        assert self._ssh.stdin is not None
        try:
            self._ssh.stdin.write(line.encode() + b"\n")
            self._ssh.stdin.flush()
        except OSError as error:
            raise _BrokenError(f"the connection was lost at {line!r}") from error
        said = self._read(repr(line)).replace("\r", "")
        first, _, rest = said.partition("\n")
        answer = rest if first.strip() == line else said
        return answer if self.asks else self._prompt.sub("", f"\n{answer}").strip("\n")

    def _read(self, after: str) -> str:
        """Return what comes until the device waits, at its prompt or with a question."""
        assert self._ssh.stdout is not None
        said = b""
        while True:
            left_s = self._until_s - time.monotonic()
            if left_s <= 0 or not select.select([self._ssh.stdout], [], [], left_s)[0]:
                raise _BrokenError(f"no prompt within {TALK_TIMEOUT_S:g} s, after {after}")
            chunk = os.read(self._ssh.stdout.fileno(), 65536)
            said += chunk
            if not chunk:
                raise _BrokenError(f"the connection ended at {after}: {why(self._host, self._complaint())}")
            if len(said) > LARGEST_BYTES:
                raise _BrokenError(f"the answer to {after} is larger than {LARGEST_BYTES} bytes")
            tail = said[-400:].decode(errors="replace")
            self.asks = _QUESTION.search(tail) is not None
            if self.asks or self._prompt.search(tail):
                return said.decode(errors="replace")

    def _complaint(self) -> str:
        """Return what ssh itself has said."""
        assert self._ssh.stderr is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._ssh.wait(1)
        os.set_blocking(self._ssh.stderr.fileno(), False)
        return (self._ssh.stderr.read(LARGEST_BYTES) or b"").decode(errors="replace")


def _client(host: Host) -> tuple[list[str], dict[str, str]]:
    """Return the ssh command and its environment. Raises ConfigError when the password file is not private."""
    environment = dict(os.environ)
    how: Sequence[str] = NO_QUESTIONS
    if host.password_file:
        read_private(Path(host.password_file))
        # By a program of ours that ssh asks: the password is in no argument, and no terminal is needed.
        environment |= {
            "SSH_ASKPASS": str(ASKPASS),
            "SSH_ASKPASS_REQUIRE": "force",
            "VIPCHAOS_PASSWORD_FILE": host.password_file,
        }
        words = ("PubkeyAuthentication=no", "NumberOfPasswordPrompts=1")
        how = [word for option in words for word in ("-o", option)]
    # Not shared: such devices allow few sessions, and often one for each connection.
    return ["ssh", "-tt", *how, *options(host), "-o", "ControlPath=none", "--", host.target], environment
