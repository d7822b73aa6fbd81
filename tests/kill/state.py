"""What a fault may change in the lab, as one value. `python -m tests.kill.state`, inside the lab, prints it as JSON."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from lab.status import look
from lab.topology import RUN, Plan

LEASES = Path("/run/vipchaos/leases")
PLAN = Plan()


def state() -> dict[str, object]:
    """Return links, rules, protocols, priorities and processes of the lab, and what it misses to be ready.

    Left out is what changes by itself: counters, timers, pids.
    """
    return {
        "missing": list(look().missing),
        "links": {name: _links(name) for name in PLAN.namespaces},
        "tables": {name: _said("ip", "netns", "exec", name, "nft", "list", "tables") for name in PLAN.namespaces},
        "rules": {name: _rules(name) for name in PLAN.nodes},
        "protocols": {name: _protocols(name) for name in PLAN.routers},
        "priorities": {name: Path(RUN, f"{name}.priority").read_text() for name in PLAN.nodes},
        "stopped": _stopped(),
        "leases": sorted(path.name for path in LEASES.iterdir()),
    }


def _said(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=10).stdout


def _links(name: str) -> dict[str, bool]:
    found = json.loads(_said("ip", "-n", name, "-json", "link"))
    return {link["ifname"]: "UP" in link["flags"] for link in found}


def _rules(name: str) -> str:
    return re.sub(
        r"counter packets \d+ bytes \d+", "counter", _said("ip", "netns", "exec", name, "nft", "list", "ruleset")
    )


def _protocols(router: str) -> dict[str, str]:
    rows = (line.split() for line in _said("birdc", "-s", f"/run/bird/{router}.ctl", "show", "protocols").splitlines())
    return {row[0]: row[3] for row in rows if len(row) > 3 and row[0] != "Name"}


def _stopped() -> list[str]:
    """Return the names of processes that are frozen."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if rest.split()[0] == "T":
            found.append(name)
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(state()))
