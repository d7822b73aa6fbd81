"""The rule that keeps the vantage's kernel from resetting raw sessions: tagged, scoped, found again when left behind.

The kernel knows no socket for a raw session, so it would answer every segment of it by a reset. One nftables table
drops what comes from the VIP to the probe's own ports before the kernel's TCP sees it; the packet socket, which taps
earlier, still does.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from ipaddress import IPv4Address
from pathlib import Path

from core.errors import CallError, PrivilegeError

PREFIX = "vipchaos_probe"
FIRST_PORT = 20_000
PORTS_EACH = 2_000
BLOCKS = 5
_NAME = re.compile(PREFIX + r"_(\d+)_(\d+)\Z")


class PortBlock:
    """A range of source ports that no other probe of this network namespace uses, for as long as it is held.

    All lie below the kernel's own range for outgoing connections. Raises CallError when all are taken.
    """

    def __init__(self) -> None:
        for block in range(BLOCKS):
            first = FIRST_PORT + block * PORTS_EACH
            # An abstract socket lives in the network namespace and goes with its process, however it ends.
            lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                lock.bind(f"\0vipchaos-ports-{first}")
            except OSError:
                lock.close()
                continue
            self._lock = lock
            self.ports = range(first, first + PORTS_EACH)
            return
        raise CallError(f"{BLOCKS} probes run in this network namespace already; stop one")

    def release(self) -> None:
        """Give the range back."""
        self._lock.close()


class NoResetRule:
    """The table of this process, present from `install` to `remove`."""

    def __init__(self, vip: IPv4Address, port: int, ports: range) -> None:
        self._table = f"{PREFIX}_{os.getpid()}_{start_ticks(os.getpid())}"
        self._rule = f"ip saddr {vip} tcp sport {port} tcp dport {ports.start}-{ports.stop - 1} drop"

    def install(self, run: str) -> tuple[str, ...]:
        """Put the rule in place, first removing tables whose process is gone; return those by name.

        Raises PrivilegeError when nft is missing or not allowed.
        """
        removed = remove_stale()
        comment = re.sub(r"[^0-9A-Za-z-]", "", run)
        _nft(
            f'table ip {self._table} {{\n  comment "vipchaos run {comment}"\n  chain probe {{\n'
            f"    type filter hook prerouting priority raw; policy accept;\n    {self._rule}\n  }}\n}}\n"
        )
        return removed

    def remove(self) -> None:
        """Take the rule away; harmless when it is gone."""
        _nft(f"table ip {self._table}\ndelete table ip {self._table}\n")


def remove_stale() -> tuple[str, ...]:
    """Remove the tables of probes that no longer run, and return their names."""
    listed = json.loads(_nft(None) or "{}").get("nftables", [])
    names = [entry["table"]["name"] for entry in listed if "table" in entry]
    stale = []
    for name in names:
        found = _NAME.match(name)
        if found and start_ticks(int(found[1])) != int(found[2]):
            _nft(f"delete table ip {name}\n")
            stale.append(name)
    return tuple(stale)


def start_ticks(pid: int) -> int:
    """Return when process `pid` started, in ticks since boot; -1 when it does not run."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return -1
    return -1 if fields[0] in "ZX" else int(fields[19])


def _nft(commands: str | None) -> str:
    """Run nft with `commands`, or list all tables as JSON without."""
    program = shutil.which("nft", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        raise PrivilegeError("nft is missing: install the package nftables")
    argv = [program, "-f", "-"] if commands else [program, "-j", "list", "tables"]
    done = subprocess.run(argv, input=commands, capture_output=True, text=True, timeout=10, check=False)
    if done.returncode:
        raise PrivilegeError(f"nft was refused (CAP_NET_ADMIN is needed): {done.stderr.strip()}")
    return done.stdout
