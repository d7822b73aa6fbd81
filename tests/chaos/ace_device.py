"""Plays a Cisco ACE at its command line, for sshd's ForceCommand: prompts, contexts, paging, questions and errors.

As the ACE Command Reference and Administration Guide show it; no device was at hand. What it holds is in the JSON
file of the first argument, so that it lasts from one login to the next.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

PAGE = 24
ERROR = "                ^\n% invalid command detected at '^' marker.\n"
GROUP = """
FT Group                     : {}
Configured Status            : in-service
Maintenance mode             : MAINT_MODE_OFF
My State                     : {}
Peer State                   : {}
Peer Id                      : 1
No. of Contexts              : 1
Running cfg sync status      : Running configuration sync has completed
"""


class Device:
    """One login."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.state: dict[str, Any] = json.loads(file.read_text())
        self.context = "Admin"
        self.mode: list[str] = []
        self.paging = True

    def prompt(self) -> str:
        mode = {0: "", 1: "(config)", 2: "(config-pmap)", 3: "(config-pmap-c)"}[len(self.mode)]
        return f"switch/{self.context}{mode}{'#' if self.state.get('privileged', True) else '>'} "

    def say(self, text: str) -> None:
        for number, line in enumerate(text.splitlines(), 1):
            sys.stdout.write(f"{line}\n")
            if self.paging and number % PAGE == 0:
                sys.stdout.write("--More--")
                sys.stdout.flush()
                sys.stdin.read(1)
        sys.stdout.flush()

    def keep(self) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(self.state))
        new.rename(self.file)

    def policies(self) -> dict[str, dict[str, list[str]]]:
        found: dict[str, dict[str, list[str]]] = self.state["contexts"][self.context]
        return found

    def configuration(self) -> str:
        lines = ["Generating configuration....", "", "", "policy-map type loadbalance first-match LB"]
        for number in range(20):
            lines += [f"  class L7-{number}", "    serverfarm FARM"]
        for policy, classes in self.policies().items():
            lines += ["", f"policy-map multi-match {policy}"]
            for name, inside in classes.items():
                lines += [f"  class {name}", *(f"    {line}" for line in inside)]
        return "\n".join(lines)

    def groups(self) -> str:
        shown = []
        for name, group in self.state["groups"].items():
            mine, peer = group["mine"], group["peer"]
            if 0 < group.get("switch_at", 0) < time.monotonic():
                mine, peer = peer, mine
            shown.append(GROUP.format(name, f"FSM_FT_STATE_{mine}", f"FSM_FT_STATE_{peer}"))
        return "".join(shown)

    def obey(self, line: str) -> None:
        words = line.split()
        if line == self.state.get("hang_at"):
            time.sleep(3600)
        if line == self.state.get("drop_at"):
            sys.exit()
        if line == "terminal length 0":
            self.paging = False
        elif words[:1] == ["changeto"] and words[1] in self.state["contexts"]:
            self.context, self.mode = words[1], []
        elif line == "show running-config policy-map":
            self.say(self.configuration())
        elif line == "show ft group status":
            self.say(self.groups())
        elif words[:2] == ["ft", "switchover"] and self.state["groups"].get(words[2], {}).get("mine") == "ACTIVE":
            self.switch_over(words[2])
        elif line == "end":
            self.mode = []
        elif not self.configure(line, words):
            self.say(ERROR)

    def switch_over(self, name: str) -> None:
        answer = self.ask("This command will cause card to switchover (yes/no)? [no] ")
        if answer == "yes":
            self.state["groups"][name]["switch_at"] = time.monotonic() + self.state.get("switches_after_s", 0)
            self.keep()

    def ask(self, question: str) -> str:
        sys.stdout.write(question)
        sys.stdout.flush()
        return sys.stdin.readline().strip()

    def configure(self, line: str, words: list[str]) -> bool:
        if line == "configure terminal":
            self.mode = ["configure"]
            # The log may speak up at any time, and is no error.
            self.say("%ACE-5-111008: User 'root' executed the 'configure terminal' command.")
        elif self.mode and words[:2] == ["policy-map", "multi-match"]:
            self.policies().setdefault(words[2], {})
            self.mode = ["configure", words[2]]
        elif len(self.mode) > 1 and words[:1] == ["class"]:
            self.policies()[self.mode[1]].setdefault(words[1], [])
            self.mode = [*self.mode[:2], words[1]]
        elif len(self.mode) == 3 and words[:1] in (["no"], ["loadbalance"]):
            inside, wanted = self.policies()[self.mode[1]][self.mode[2]], line.removeprefix("no ")
            inside[:] = [each for each in inside if each != wanted]
            if words[0] != "no":
                inside.insert(0, line)
        else:
            return False
        self.keep()
        return True


def main() -> None:
    """Greet, and obey until the connection ends."""
    device = Device(Path(sys.argv[1]))
    sys.stdout.write("\nCisco Application Control Software (ACSW)\nTAC support: none\n\n")
    device.keep()
    while True:
        sys.stdout.write(device.prompt())
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            with (device.file.parent / "typed").open("a") as typed:
                typed.write(line)
            device.obey(line.strip())


if __name__ == "__main__":
    main()
