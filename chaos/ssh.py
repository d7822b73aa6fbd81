"""How a command reaches a machine by ssh: the system's client, one connection for many commands, host keys checked.

The client and not a library, so that the operator's configuration, agent and known_hosts hold: ssh_config(5).
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.reply import Reply, run
from core.inventory import Host

CONTROL = Path("/run/vipchaos/ssh")
"""Where the sockets of the connections are that are kept."""
KEPT_S = 60
"""How long a connection is kept after the last command."""
CONNECT_TIMEOUT_S = 3
FAR_TIMEOUT_S = 4
"""When a command is ended at the far end, so that none that was given up here does its work later."""
TIMED_OUT = 124
"""The exit code of timeout(1) when the time was over."""
NO_QUESTIONS = ("-o", "BatchMode=yes")
OPTIONS = (
    "StrictHostKeyChecking=yes",
    "UpdateHostKeys=no",  # the operator's known_hosts is read, never written
    f"ConnectTimeout={CONNECT_TIMEOUT_S}",
    "ConnectionAttempts=1",
    # A connection that is silent for so long is given up, and the next command makes a new one.
    "ServerAliveInterval=1",
    "ServerAliveCountMax=3",
    "LogLevel=ERROR",
    # What an operator's configuration may have for people at terminals.
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "EscapeChar=none",
)


@dataclass(frozen=True, slots=True)
class Ssh:
    """A machine with a POSIX shell and timeout(1). A command reaches it word for word, whatever is in the words."""

    host: Host

    def look(self, argv: Sequence[str]) -> Reply:
        """See `Target.look`."""
        return self._run(argv)

    def prepare(self, argv: Sequence[str]) -> Reply:
        """See `Target.prepare`."""
        return self._run(argv)

    def do(self, argv: Sequence[str]) -> Reply:
        """See `Target.do`."""
        return self._run(argv)

    def _run(self, argv: Sequence[str]) -> Reply:
        token = secrets.token_hex(8)
        far = far_command(argv, token)
        whole = ["ssh", "-T", *NO_QUESTIONS, *options(self.host), *_kept(self.host), "--", self.host.target, far]
        return _told(self.host, tuple(argv), run(whole), token)


def far_command(argv: Sequence[str], token: str) -> str:
    """Return what the far shell is to run: the command, word for word, and then the code that it ended with.

    ssh ends with 255 where it fails itself, and so may a command. Therefore the code is told by the far shell, on
    standard error, after `token`: a word that the command does not know.
    """
    return f"timeout -k 1 {FAR_TIMEOUT_S} {shlex.join(argv)}; printf '\\n%s %s\\n' {token} \"$?\" >&2"


def options(host: Host) -> list[str]:
    """Return the client's options that every connection to `host` has."""
    found = [word for option in OPTIONS for word in ("-o", option)]
    if host.user:
        found += ["-l", host.user]
    if host.port:
        found += ["-p", str(host.port)]
    if host.identity_file:
        found += ["-i", host.identity_file, "-o", "IdentitiesOnly=yes"]
    if host.known_hosts:
        found += ["-o", f"UserKnownHostsFile={host.known_hosts}", "-o", "GlobalKnownHostsFile=/dev/null"]
    return found


def why(host: Host, said: str) -> str:
    """Return why the client could not do it, by what it `said`, and what to do."""
    known = host.known_hosts or "known_hosts"
    if "IDENTIFICATION HAS CHANGED" in said:
        return (
            f"the host key of {host.target} is not the one of {known}: another machine answers, or its key was "
            "changed; nothing was sent. If it was changed, put the new one there"
        )
    if "Host key verification failed" in said:
        return f"the host key of {host.target} is not in {known}; nothing was sent. Compare it, then put it there"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "the connection was lost: whether the command was run is not known"


def _kept(host: Host) -> list[str]:
    """Return the options that let commands share a connection; none where its socket would not be ours alone."""
    try:
        CONTROL.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = CONTROL.stat()
    except OSError:
        return ["-o", "ControlPath=none"]
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        return ["-o", "ControlPath=none"]
    # By everything that the inventory says: a connection made with one key is not used where another is named.
    name = hashlib.sha256(repr(host).encode()).hexdigest()[:16]
    return ["-o", "ControlMaster=auto", "-o", f"ControlPath={CONTROL / name}", "-o", f"ControlPersist={KEPT_S}"]


def _told(host: Host, argv: tuple[str, ...], reply: Reply, token: str) -> Reply:
    """Return the reply of the far command, out of that of the client."""
    name = ("ssh", host.name, *argv)
    ended = re.search(rf"\n?{token} ([0-9]+)\n", reply.error)
    if ended is None:
        return Reply(name, -1, reply.out, f"ssh to {host.name}: {why(host, reply.error)}")
    error = reply.error[: ended.start()] + reply.error[ended.end() :]
    if int(ended[1]) == TIMED_OUT:
        return Reply(name, -1, reply.out, f"{error}no end within {FAR_TIMEOUT_S} s")
    return Reply(name, int(ended[1]), reply.out, error)
