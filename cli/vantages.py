"""The processes of a run at its vantages: an agent and a packet capture each."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import PrivilegeError
from core.inventory import Inventory
from probe import capture
from store.runs import RunDirectory

STOP_S = 10.0


@dataclass
class Vantages:
    """The processes of a run: an agent and a capture for each vantage; agents end by their lifelines."""

    agents: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    captures: list[subprocess.Popen[bytes]] = field(default_factory=list)
    directory: Path = Path()

    def start(self, inventory: Inventory, inventory_file: Path, run: RunDirectory) -> None:
        """Start them all."""
        self.directory = run.path
        for name, vantage in inventory.vantages.items():
            if vantage.elsewhere:
                continue
            host = inventory.hosts[vantage.host]
            place = ["ip", "netns", "exec", host.target] if host.transport == "netns" else []
            # An agent has a lifeline; a capture has the kernel, which ends it when this process dies.
            leash = ["setpriv", "--pdeathsig", "TERM"]
            log = (run.path / f"{name}.log").open("wb")
            with log:
                self.captures.append(
                    subprocess.Popen(
                        [*place, *leash, *capture.command(run.path / f"{name}.pcap", inventory.vip)],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                    )
                )
                self.agents[name] = subprocess.Popen(
                    [
                        *place,
                        sys.executable,
                        "-m",
                        "cli",
                        "agent",
                        "--inventory",
                        str(inventory_file),
                        "--vantage",
                        name,
                        "--journal",
                        str(run.journal_path(name)),
                        "--run",
                        run.run,
                        "--lifeline",
                    ],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                )

    def failed(self) -> str:
        """Return which agent has ended though nobody told it to, or ''. Raises PrivilegeError when it may not run."""
        ended = [(name, agent) for name, agent in self.agents.items() if agent.poll() is not None]
        if not ended:
            return ""
        name, agent = ended[0]
        words = (self.directory / f"{name}.log").read_text(errors="replace").strip().splitlines()
        why = f": {words[-1]}" if words else ""
        if agent.returncode == PrivilegeError.exit_code:
            raise PrivilegeError(f"agent {name}{why}")
        return f"agent {name} ended with exit code {agent.returncode}{why}"

    def stop(self) -> None:
        """End all of them in order."""
        for agent in self.agents.values():
            if agent.stdin is not None:
                agent.stdin.close()
        for process in (*self.agents.values(), *self.captures):
            if process in self.captures:
                process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
