"""The rule that keeps the vantage's kernel from resetting raw sessions, and the ports that it is about.

The kernel knows no socket for a raw session, so it would answer every segment of it by a reset. One nftables table
drops what comes from the VIP to the probe's own ports before the kernel's TCP sees it; the packet socket, which taps
earlier, still does. The table has an owner (nftables' `flags owner`, Linux 5.12): the kernel removes it when the
process that made it ends, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

from core.errors import CallError, PrivilegeError
from core.inventory import Address

PREFIX = "vipchaos_probe"
PF_EXITING = 0x4
FIRST_PORT = 10_000
PORTS_EACH = 2_000
BLOCKS = 11
_FEED = 'printf "%s" "$1"; exec 3>&1 >/dev/null; exec cat'
"""Say it, keep the pipe open, and hear nothing more but the end."""
PREFERRED = (*range(5, BLOCKS), *range(5))
"""Where one block is enough, those from 20000 on are tried first; all lie below the kernel's own ports."""


class PortBlock:
    """A range of at least `count` source ports that no other probe of this network namespace uses, while it is held.

    Raises CallError when there are not so many left.
    """

    def __init__(self, count: int = PORTS_EACH) -> None:
        blocks = -(-count // PORTS_EACH)
        for first in (block for block in PREFERRED if block + blocks <= BLOCKS):
            locks = [self._lock(block) for block in range(first, first + blocks)]
            if all(locks):
                self._locks = [lock for lock in locks if lock]
                start = FIRST_PORT + first * PORTS_EACH
                self.ports = range(start, start + blocks * PORTS_EACH)
                return
            for lock in filter(None, locks):
                lock.close()
        raise CallError(
            f"{count} source ports are not free in this network namespace: other probes run here; stop one, or give "
            "this vantage fewer sessions"
        )

    @staticmethod
    def _lock(block: int) -> socket.socket | None:
        # An abstract socket lives in the network namespace and goes with its process, however it ends.
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            lock.bind(f"\0vipchaos-ports-{FIRST_PORT + block * PORTS_EACH}")
        except OSError:
            lock.close()
            return None
        return lock

    def release(self) -> None:
        """Give the range back."""
        for lock in self._locks:
            lock.close()


class NoResetRule:
    """The table of this process, until `remove`. Raises PrivilegeError when nft is missing or refused."""

    def __init__(self, vip: Address, port: int, ports: range, run: str) -> None:
        program = shutil.which("nft", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if program is None:
            raise PrivilegeError("nft is missing: install the package nftables")
        table = f"{PREFIX}_{os.getpid()}"
        family = "ip" if vip.version == 4 else "ip6"
        comment = re.sub(r"[^0-9A-Za-z-]", "", run)
        commands = (
            f'table {family} {table} {{ flags owner; comment "vipchaos run {comment}"; chain probe {{ '
            f"type filter hook prerouting priority raw; policy accept; {family} saddr {vip} tcp sport {port} "
            f"tcp dport {ports.start}-{ports.stop - 1} drop; }}; }}\nlist tables {family}\n"
        )
        # The owner is this nft, which ends with its standard input. It keeps its privilege, so it hears nothing from us
        # but the end: what we write, or who takes us over, goes nowhere.
        # In sessions of their own: a ^C in the terminal is the agent's to handle.
        self._feed = subprocess.Popen(
            ["/bin/sh", "-c", _FEED, "sh", commands],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._nft = subprocess.Popen(
            [program, "-i"],
            stdin=self._feed.stdout,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self._feed.stdout is not None
        self._feed.stdout.close()
        said = self._said(f"table {family} {table}")
        if said:
            self.remove()
            raise PrivilegeError(f"nft was refused (CAP_NET_ADMIN and Linux 5.12 are needed): {said}")

    @property
    def gone(self) -> bool:
        """Whether nft has ended or is about to: the kernel takes its table away while it exits, before it has ended."""
        return any(process.poll() is not None or _exiting(process.pid) for process in (self._feed, self._nft))

    def _said(self, wanted: str) -> str:
        """Return '' once nft lists what is wanted, else what it said."""
        said = []
        for line in self._nft.stdout or ():
            if wanted in line:
                return ""
            if "rror" in line:
                return line.strip()
            said.append(line.strip())
        return " ".join(said) or "it ended"

    def remove(self) -> None:
        """Take the rule away; harmless when it is gone."""
        for process in (self._feed, self._nft):
            with contextlib.suppress(BrokenPipeError):
                process.communicate(timeout=10)


def _exiting(pid: int) -> bool:
    """Return whether a process is in exit (PF_EXITING in `flags`, the ninth field of proc_pid_stat(5))."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return bool(int(status.rpartition(")")[2].split()[6]) & PF_EXITING)
