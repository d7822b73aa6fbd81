"""The path from a vantage of the lab, and ways to damage it at an access router: for a while, or now and then."""

from __future__ import annotations

import enum
import subprocess
import time
from dataclasses import dataclass

from lab.client import Lab, environment

ROUTER = "a1"
VANTAGE = "c1"
VIP = "203.0.113.10"


class Kind(enum.StrEnum):
    """Which way is cut, and how."""

    BOTH = "both ways"
    TOWARDS = "only towards the VIP"
    BACK = "only back"
    LINK = "link down"


@dataclass(frozen=True)
class Switched:
    """When a cut was made and mended, each between two instants of the monotonic clock, in ns."""

    kind: Kind
    cut_from_ns: int
    cut_until_ns: int
    mended_from_ns: int
    mended_until_ns: int

    @property
    def shortest_ns(self) -> int:
        """The path was down at least so long."""
        return self.mended_from_ns - self.cut_until_ns

    @property
    def longest_ns(self) -> int:
        """And at most so long."""
        return self.mended_until_ns - self.cut_from_ns


class Route:
    """The access router of vantage c1, with one nftables table of ours that is always there."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._apply("")

    def cut(self, kind: Kind, seconds: float) -> Switched:
        """Cut the path for a while; return when that was."""
        rules = {
            Kind.BOTH: f"ip daddr {VIP} drop; ip saddr {VIP} drop;",
            Kind.TOWARDS: f"ip daddr {VIP} drop;",
            Kind.BACK: f"ip saddr {VIP} drop;",
        }
        begin_ns = time.monotonic_ns()
        self._link("down") if kind is Kind.LINK else self._apply(rules[kind])
        cut_ns = time.monotonic_ns()
        time.sleep(seconds)
        mend_ns = time.monotonic_ns()
        self._link("up") if kind is Kind.LINK else self._apply("")
        return Switched(kind, begin_ns, cut_ns, mend_ns, time.monotonic_ns())

    def lose(self, one_in: int) -> None:
        """Lose one packet in so many at random, both ways; 0 ends it."""
        self._apply(f"numgen random mod {one_in} 0 drop;" if one_in else "")

    def only(self, rules: str) -> None:
        """Have these nftables rules in the router's way, until they are replaced."""
        self._apply(rules)

    def _link(self, state: str) -> None:
        self._run(["ip", "link", "set", VANTAGE, state], "")

    def _apply(self, rules: str) -> None:
        chain = f"chain cut {{ type filter hook forward priority 0; {rules} }}"
        self._run(
            ["nft", "-f", "-"], f"table ip accuracy\ndelete table ip accuracy\ntable ip accuracy {{ {chain}; }}\n"
        )

    def _run(self, words: list[str], text: str) -> None:
        argv = self._lab.enter_argv(ROUTER, words)
        subprocess.run(argv, input=text, text=True, check=True, capture_output=True, env=environment())
