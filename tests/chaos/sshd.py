"""A real sshd in a namespace of the test's own, on a port and with keys of its own, and a client's namespace beside."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from core.inventory import Host
from tests.waiting import wait_for

ADDRESS = "10.78.1.2"
PORT = 2222
PASSWORD = "open, sesame"
CONFIGURATION = """
Port {port}
ListenAddress {address}
HostKey {directory}/host
AuthorizedKeysFile {directory}/user.pub
StrictModes no
UsePAM no
KbdInteractiveAuthentication no
PermitRootLogin yes
PidFile none
LogLevel VERBOSE
MaxStartups 100
"""
# A /run of its own for the directory that sshd wants there, and a shadow file of its own: root has a password here.
# What the user of this machine has in .bashrc, which bash reads for each command of ssh, is not part of the test.
START = (
    "mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && mount --bind {0}/shadow /etc/shadow"
    " && if [ -e ~/.bashrc ]; then mount --bind /dev/null ~/.bashrc; fi && exec /usr/sbin/sshd -D -e -f {0}/sshd_config"
)
# The client that runs is the system's, with the arguments that it was given, in the namespace beside.
CLIENT = '#!/bin/sh\nexec ip netns exec {0} /usr/bin/ssh "$@"\n'


@dataclass
class Sshd:
    """The daemon, and what a client needs; `namespace` is the one that it runs in, `beside` that of the clients."""

    namespace: str
    beside: str
    directory: Path
    lines: str = ""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("host", "user", "stranger"):
            make_key(self.directory / name)
        self.known(self.directory / "host.pub", self.directory / "known_hosts")
        (self.directory / "sshd_config").write_text(
            CONFIGURATION.format(port=PORT, address=ADDRESS, directory=self.directory) + self.lines
        )
        hashed = run("openssl", "passwd", "-6", "-salt", "vipchaos", PASSWORD).strip()
        (self.directory / "shadow").write_text(f"root:{hashed}:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\n")
        (self.directory / "bin").mkdir()
        client = self.directory / "bin" / "ssh"
        client.write_text(CLIENT.format(self.beside))
        client.chmod(0o755)

    @property
    def path(self) -> str:
        """The PATH with which `ssh` is the client beside the daemon."""
        return f"{self.directory / 'bin'}:{os.environ['PATH']}"

    @property
    def host(self) -> Host:
        """The host as an inventory has it."""
        return Host(
            "box",
            "ssh",
            ADDRESS,
            user="root",
            port=PORT,
            identity_file=str(self.directory / "user"),
            known_hosts=str(self.directory / "known_hosts"),
        )

    def known(self, key: Path, file: Path) -> str:
        """Write a known_hosts file that has `key` for the daemon; return its path."""
        file.write_text(f"[{ADDRESS}]:{PORT} {' '.join(key.read_text().split()[:2])}\n")
        return str(file)

    def start(self) -> None:
        """Bring up the link and the daemon."""
        link = ("link", "add", "uplink", "type", "veth", "peer", "name", "downlink", "netns", self.beside)
        run("ip", "-n", self.namespace, *link)
        for name, address, device in ((self.namespace, ADDRESS, "uplink"), (self.beside, "10.78.1.1", "downlink")):
            run("ip", "-n", name, "address", "add", f"{address}/24", "dev", device)
            run("ip", "-n", name, "link", "set", device, "up")
        command = ["ip", "netns", "exec", self.namespace, "sh", "-c", START.format(self.directory)]
        with (self.directory / "log").open("wb") as log:
            self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        wait_for(lambda: "Server listening" in self.log, 10)

    @property
    def log(self) -> str:
        """What the daemon has said."""
        return (self.directory / "log").read_text()

    def pids(self, namespace: str | None = None) -> set[int]:
        """Return the processes of a namespace: the daemon, its sessions and what they run."""
        return {int(pid) for pid in run("ip", "netns", "pids", namespace or self.namespace).split()}

    def signal(self, number: int, *, sessions_only: bool = False) -> None:
        """Send a signal to the daemon and its sessions."""
        for pid in self.pids() - ({self.processes[0].pid} if sessions_only else set()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self) -> None:
        """End everything in both namespaces."""
        while found := self.pids() | self.pids(self.beside):
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for process in self.processes:
                process.wait()


def make_key(path: Path) -> None:
    """Make an Ed25519 key without passphrase."""
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path))


def run(*argv: str) -> str:
    """Run a command that must succeed and return what it prints."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
