"""What a run could leave behind on the machine, as a value that can be compared."""

from __future__ import annotations

import contextlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.client import environment

OURS = (
    "cli.controller",
    "chaos.guard.keeper",
    "lab.holder",
    "cli agent",
    "probe.reflector",
    "probe.capture",
    "tcpdump",
)
DAEMONS = ("bird", "keepalived", "conntrackd")


@dataclass(frozen=True)
class Host:
    """Namespaces, links, rules, files and processes of this machine that are of vipchaos' kind."""

    namespaces: frozenset[str]
    named: str
    links: str
    rules: str
    files: tuple[str, ...]
    processes: frozenset[tuple[int, str]]


def look() -> Host:
    """Return what there is now."""
    namespaces, processes = set(), set()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            namespaces.add(str((path / "ns/net").readlink()))
            words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            daemon = Path(words.split(" ")[0]).name in DAEMONS
            if daemon or any(f" {word}" in f" {words}" for word in OURS):
                processes.add((int(path.name), words))
    return Host(
        frozenset(namespaces),
        _say("ip", "netns", "list"),
        _say("ip", "-br", "link"),
        _say("nft", "list", "ruleset"),
        tuple(sorted(str(path) for path in Path("/run").glob("vipchaos*/**/*"))),
        frozenset(processes),
    )


def _say(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True, env=environment()).stdout
