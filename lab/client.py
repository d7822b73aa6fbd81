"""The lab from outside: bring one up, find it, look at it, enter it, take it down."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import CallError, PrivilegeError, VipchaosError
from lab.flavours import chosen, planned
from lab.inventory import inventory

ROOT = Path(__file__).resolve().parent.parent
TOOLS = {
    "ip": "iproute2",
    "nft": "nftables",
    "bird": "bird2",
    "birdc": "bird2",
    "keepalived": "keepalived",
    "conntrackd": "conntrackd",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
}
SBIN = ("/usr/sbin", "/sbin", "/usr/local/sbin")
UP_WITHIN_S = 60.0
DOWN_WITHIN_S = 10.0


class LabError(VipchaosError):
    """The lab did not come up or is not there; the message says what was missing."""

    exit_code = 5


def environment() -> dict[str, str]:
    """Return the environment for the lab's programs: this copy of vipchaos, and the system's daemons on the PATH."""
    path = os.environ.get("PATH", "").split(":")
    return os.environ | {
        "PATH": ":".join(path + [directory for directory in SBIN if directory not in path]),
        "PYTHONPATH": ":".join([str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(":"))]),
    }


def preflight(flavours: Iterable[str] = ()) -> list[str]:
    """Return the options of unshare(1) that this user needs for a lab with these flavours.

    Raises PrivilegeError that names every missing tool with its package, or the missing right.
    """
    path = environment()["PATH"]
    tools = TOOLS | {tool: package for flavour in chosen(flavours) for tool, package in flavour.tools.items()}
    missing = sorted(
        {f"{tool} (package {package})" for tool, package in tools.items() if not shutil.which(tool, path=path)}
    )
    if missing:
        raise PrivilegeError(f"the lab needs {', '.join(missing)}: install with `make setup` or apt-get install")
    for flavour in chosen(flavours):
        if flavour.root and os.geteuid():
            raise PrivilegeError(f"lab flavour {flavour.name} needs root: its daemons take a user of their own")
    options = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid():
        options = ["--user", "--map-root-user", *options]
    tried = subprocess.run(
        ["unshare", *options, "true"], capture_output=True, text=True, env=environment(), check=False
    )
    if tried.returncode:
        right = "user namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces) or root"
        raise PrivilegeError(f"the lab needs {right if os.geteuid() else 'CAP_SYS_ADMIN'}: {tried.stderr.strip()}")
    return options


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab that is up: its holder's pid on the host, and when that process started (so that a pid is never reused)."""

    name: str
    pid: int
    start_ticks: int
    rootless: bool
    state_file: Path
    flavours: tuple[str, ...] = ()

    @property
    def inventory_file(self) -> Path:
        """The inventory that fits a lab with flavours; one without has that of the demo."""
        return self.state_file.with_suffix(".yaml")

    def enter_argv(self, node: str | None, argv: Sequence[str]) -> list[str]:
        """Return the command that runs `argv` in the lab: in the namespace of `node`, or among all of them."""
        user = ["--user", "--preserve-credentials"] if self.rootless else []
        inner = ["ip", "netns", "exec", node, *argv] if node else list(argv)
        return [
            "nsenter",
            "--target",
            str(self.pid),
            *user,
            "--mount",
            "--net",
            "--pid",
            f"--wd={Path.cwd()}",
            "--",
            *inner,
        ]

    def alive(self) -> bool:
        """Whether the holder still runs."""
        return self.start_ticks > 0 and _start_ticks(self.pid) == self.start_ticks

    def status(self) -> dict[str, object]:
        """Return what the lab looks like now (see lab.status.Status). Raises LabError when it cannot be entered."""
        done = subprocess.run(
            self.enter_argv(None, [sys.executable, "-m", "lab.status"]),
            capture_output=True,
            text=True,
            env=environment(),
            timeout=30,
            check=False,
        )
        if done.returncode:
            raise LabError(f"lab {self.name}: cannot be entered: {done.stderr.strip()[-300:]}")
        found: dict[str, object] = json.loads(done.stdout)
        return found

    def down(self) -> None:
        """End the lab: the kernel removes every process, namespace, rule and file of it. Harmless when it is gone."""
        if self.alive():
            os.kill(self.pid, signal.SIGKILL)
        deadline_s = time.monotonic() + DOWN_WITHIN_S
        while self.alive() and time.monotonic() < deadline_s:
            time.sleep(0.02)
        for path in _files(self.state_file):
            path.unlink(missing_ok=True)


def find(name: str) -> Lab:
    """Return the lab `name` that is up. Raises CallError that says how to bring it up."""
    lab = _recorded(name)
    if lab is None or not lab.alive():
        raise CallError(f"lab {name!r} is not up: `vipchaos lab up --name {name}` brings it up")
    return lab


def forget(name: str) -> bool:
    """Take the lab `name` down, whatever is left of it; tell whether anything was."""
    lab = _recorded(name)
    if lab is None:
        return False
    lab.down()
    return True


def up(
    name: str,
    lifeline: int | None = None,
    waiting: Callable[[float], None] | None = None,
    flavours: Iterable[str] = (),
) -> Lab:
    """Bring the lab `name` up and return it when it is ready; one that is up already is returned as it is.

    With flavours, the inventory that fits is written beside the lab's record. One that is up with others is refused.

    `lifeline` is the read end of a pipe: at its end the lab goes by itself, once no lease is out. `waiting` is
    called about once a second with the seconds so far. Raises PrivilegeError, LabError or CallError.
    """
    plan = planned(flavours)
    lab = _recorded(name)
    if lab is not None and lab.alive():
        if lab.flavours != plan.flavours:
            has = ", ".join(lab.flavours) or "none"
            raise CallError(f"lab {name!r} is up with other flavours ({has}): `vipchaos lab down --name {name}` first")
        return lab
    options = preflight(plan.flavours)
    _remove_dead()
    state_file = _state_file(name)
    state_file.parent.mkdir(parents=True, exist_ok=True)
    read_end, write_end = os.pipe()
    descriptors = [write_end] + ([] if lifeline is None else [lifeline])
    argv = ["unshare", *options, sys.executable, "-m", "lab.holder", "--ready", str(write_end)]
    argv += [] if lifeline is None else ["--lifeline", str(lifeline)]
    argv += ["--flavour", *plan.flavours, "--state", *map(str, _files(state_file))]
    with state_file.with_suffix(".log").open("wb") as log:
        outer = subprocess.Popen(
            argv,
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(),
            start_new_session=True,
            cwd=ROOT,
        )
    os.close(write_end)
    # Reaped when it ends, so that none stays behind as a zombie of a long-running caller.
    threading.Thread(target=outer.wait, daemon=True).start()
    pid = _holder_pid(outer)
    lab = Lab(name, pid, _start_ticks(pid), bool(os.geteuid()), state_file, plan.flavours)
    if plan.flavours:
        lab.inventory_file.write_text(inventory(plan))
    try:
        _record(lab)
        said = _wait_said(read_end, waiting) if pid else "FAILED its first process did not start"
    finally:
        os.close(read_end)
    if said != "READY":
        words = state_file.with_suffix(".log").read_text(errors="replace").strip()[-600:]
        lab.down()
        outer.kill()
        raise LabError(f"lab {name} did not come up: {said.removeprefix('FAILED ') or 'it ended'}\n{words}".rstrip())
    return lab


def _files(state_file: Path) -> tuple[Path, ...]:
    """Return everything that is written of a lab outside it: its record, what it said, its inventory."""
    return (state_file, state_file.with_suffix(".log"), state_file.with_suffix(".yaml"))


def _wait_said(descriptor: int, waiting: Callable[[float], None] | None) -> str:
    started_s = time.monotonic()
    while time.monotonic() - started_s < UP_WITHIN_S:
        if select.select([descriptor], [], [], 1.0)[0]:
            # One write, shorter than PIPE_BUF: it comes whole.
            return os.read(descriptor, select.PIPE_BUF).decode(errors="replace")
        if waiting:
            waiting(time.monotonic() - started_s)
    return ""


def _holder_pid(outer: subprocess.Popen[bytes]) -> int:
    """Return the pid of the one child of unshare(1), which is process 1 inside; 0 when it did not start."""
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    deadline_s = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < deadline_s and outer.poll() is None:
        found = children.read_text().split()
        if found:
            return int(found[0])
        time.sleep(0.01)
    return 0


def _start_ticks(pid: int) -> int:
    """Return when `pid` started, in clock ticks since boot; -1 when it does not run."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return -1
    return -1 if fields[0] in "ZX" else int(fields[19])


def _state_file(name: str) -> Path:
    if not name.replace("-", "").isalnum():
        raise CallError(f"lab name {name!r}: letters, digits and hyphens are allowed")
    base = os.environ.get("VIPCHAOS_HOME") or Path.home() / ".local/state/vipchaos"
    return Path(base) / "labs" / f"{name}.json"


def _remove_dead() -> None:
    """Remove what is on record of labs that were killed outright."""
    for path in _state_file("any").parent.glob("*.json"):
        with contextlib.suppress(LabError):
            lab = _recorded(path.stem)
            if lab is not None and not lab.alive():
                lab.down()


def _record(lab: Lab) -> None:
    new = lab.state_file.with_suffix(".new")
    found = {"pid": lab.pid, "start_ticks": lab.start_ticks, "rootless": lab.rootless, "flavours": lab.flavours}
    new.write_text(json.dumps(found))
    new.rename(lab.state_file)


def _recorded(name: str) -> Lab | None:
    path = _state_file(name)
    try:
        found = json.loads(path.read_text())
        pid, start_ticks, rootless = int(found["pid"]), int(found["start_ticks"]), bool(found["rootless"])
        return Lab(name, pid, start_ticks, rootless, path, tuple(map(str, found["flavours"])))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(f"{path}: is damaged ({error!r}); remove it when no lab of that name runs") from error
