"""A real systemd as process 1 of namespaces of the test's own: own mounts, own processes, own cgroup, own units."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.reply import Reply, run
from tests.waiting import wait_for

# The units of the machine are not looked at, nor its generators; nothing of it is mounted, started or written.
START = """
echo 0 > {cgroup}/cgroup.procs
exec unshare --mount --propagation private --pid --fork --kill-child --cgroup --ipc --uts sh -c '
  mount -t proc proc /proc
  mount -t tmpfs tmpfs /run
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_UNIT_PATH={units} \\
    SYSTEMD_GENERATOR_PATH={empty} SYSTEMD_ENVIRONMENT_GENERATOR_PATH={empty} \\
    /lib/systemd/systemd --system --unit=test.target --log-target=null --show-status=0
'
"""
# Tests start a unit more often than systemd would let them.
UNIT = "[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n"
UNITS = {
    "test.target": "[Unit]\nDefaultDependencies=no\nWants=kept.service dbus.service\n",
    # `systemctl freeze` speaks over the bus, and over nothing else.
    "dbus.socket": "[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=/run/dbus/system_bus_socket\n",
    "dbus.service": (
        "[Unit]\nDefaultDependencies=no\nRequires=dbus.socket\n[Service]\nType=notify\nNotifyAccess=main\n"
        "ExecStart=/usr/bin/dbus-daemon --config-file={units}/bus.conf --address=systemd: --nofork --nopidfile\n"
    ),
    "bus.conf": (
        "<busconfig><type>system</type><listen>systemd:</listen><policy context='default'><allow user='*'/>"
        "<allow own='*'/><allow send_type='*' send_destination='*'/><allow receive_type='*'/></policy></busconfig>\n"
    ),
    "kept.service": f"{UNIT}[Service]\nExecStart=/bin/sleep infinity\n",
    # Nothing refers to it: systemd forgets it when it stops.
    "lone.service": f"{UNIT}[Service]\nExecStart=/bin/sleep infinity\n",
    "restarting.service": (f"{UNIT}[Service]\nExecStart=/bin/sleep infinity\nRestart=always\nRestartSec=0\n"),
    "breaking.service": (
        f"{UNIT}[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/test ! -e /run/broken\n"
    ),
    "stubborn@.service": (
        f'{UNIT}[Service]\nTimeoutStopSec=90\nExecStart=/bin/sh -c "trap true TERM; while true; do sleep 1; done"\n'
    ),
}


@dataclass
class Systemd:
    """The manager; as a target it runs commands beside it."""

    directory: Path
    name: str
    process: subprocess.Popen[bytes] | None = None
    pid: int = 0

    @property
    def cgroup(self) -> Path:
        """The control group (version 2) that everything of it is in."""
        mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
        return Path(next(where for _, where, kind, *_ in mounts if kind == "cgroup2")) / self.name

    def start(self) -> None:
        """Bring it up."""
        for name in ("units", "empty"):
            (self.directory / name).mkdir()
        for name, text in UNITS.items():
            (self.directory / "units" / name).write_text(text.replace("{units}", str(self.directory / "units")))
        self.cgroup.mkdir()
        script = START.format(cgroup=self.cgroup, units=self.directory / "units", empty=self.directory / "empty")
        with (self.directory / "log").open("wb") as log:
            self.process = subprocess.Popen(["sh", "-c", script], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(self._is_up, 20)

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.directory / "log").read_text()
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        self.pid = int(children[0]) if children else 0
        return bool(self.pid) and self.look(["busctl", "status", "org.freedesktop.systemd1"]).code == 0

    def look(self, argv: Sequence[str]) -> Reply:
        """See `Target.look`."""
        return run(["nsenter", "--target", str(self.pid), "--mount", "--pid", "--cgroup", "--", *argv])

    def prepare(self, argv: Sequence[str]) -> Reply:
        """See `Target.prepare`."""
        return self.look(argv)

    def do(self, argv: Sequence[str]) -> Reply:
        """See `Target.do`."""
        return self.look(argv)

    def stop(self) -> None:
        """End all of it: the kernel ends what is in the namespace of a process 1 that is killed."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        groups = [self.cgroup, *(path for path in self.cgroup.rglob("*") if path.is_dir())]
        wait_for(lambda: not any((group / "cgroup.procs").read_text() for group in groups), 10)
        for group in sorted(groups, reverse=True):
            with contextlib.suppress(FileNotFoundError):
                group.rmdir()
