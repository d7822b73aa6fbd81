"""Knows which keys the files have that we read, and what each may be, as data.

The readers and the JSON Schema read these tables. What drivers ask for each of them declares (`core.drivers`).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.enrolment import Role
from core.experiment import Sessions
from core.game_days import Every
from core.inventory import Mode
from core.names import NOTHING, Name
from core.windows import WEEKDAYS

MOST_SESSIONS = 200_000
MOST_SOURCES = 64
LONGEST_S = 3600
LONGEST_GATE_S = 600
TRANSPORTS = ("local", "netns", "ssh", "cli", "https")


class Kind(enum.StrEnum):
    """How a value is written."""

    NAME = "name"  # at most `high` letters where that is set
    TEXT = "text"
    PATH = "path that begins with /"
    FILE = "absolute path"
    MACHINE = "name or IP address"
    NUMBER = "number"  # from `low` to `high`
    WHOLE = "whole number"  # from `low` to `high`
    FLAG = "true or false"
    TIME = "time of day"
    DATE = "date"
    MOMENT = "local date and time"
    ZONE = "IANA time zone"
    ADDRESS = "IP address"
    NETWORK = "network"
    ONE_OF = "one of"  # the `choices`
    NAMES = "list of names"  # of the `choices` where there are some; each once, at least `low`
    FILES = "list of paths"  # each once, at least 1
    ADDRESSES = "list of IP addresses"  # each once, at least 1, at most `high` where there is one
    TEXTS = "mapping of names to names"
    WORDS = "list of texts"  # at least 1
    SECTION = "mapping"  # of `keys`
    SECTIONS = "list of mappings"  # of `keys`, at least 1
    NAMED = "mapping of names to mappings"  # of `keys`
    DRIVER = "name of a driver"
    ARGUMENTS = "arguments of the driver"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a mapping: required, unless it is `optional`.

    `with_` is a key of the same mapping and the values of it (none: any) with which this one has a meaning;
    `without` one that it has no meaning beside. `needed_with`: the same as `with_`, where it is required then and
    otherwise optional.
    """

    kind: Kind
    about: str
    low: float = 0
    high: float = 0
    choices: tuple[str, ...] = ()
    keys: Mapping[str, Key] = field(default_factory=dict)
    optional: bool = False
    with_: tuple[str, tuple[str, ...]] | None = None
    needed_with: tuple[str, tuple[str, ...]] | None = None
    without: str = ""

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        return self.low, self.high

    @property
    def whole_range(self) -> tuple[int, int]:
        """The same of whole numbers."""
        return int(self.low), int(self.high)


_HTTP = ("mode", (Mode.HTTP.value, Mode.TLS.value))
_HOST = Key(Kind.NAME, "host of the inventory")
PATTERN = {
    "header": Key(Kind.NAME, "header of the answer; without it, its body", optional=True),
    "pattern": Key(Kind.TEXT, "regular expression with one group"),
}
SERVICE = {
    "mode": Key(Kind.ONE_OF, "how the service is spoken to", choices=tuple(Mode)),
    "path": Key(Kind.PATH, "what HTTP asks for", optional=True, with_=_HTTP),
    "host": Key(Kind.NAME, "Host header, and name in TLS; without it, the address", optional=True, with_=_HTTP),
    "client": Key(Kind.SECTION, "where the answer has the client's address", keys=PATTERN, optional=True, with_=_HTTP),
    "server": Key(Kind.SECTION, "where the answer names the server", keys=PATTERN, optional=True, with_=_HTTP),
    "site": Key(Kind.SECTION, "where the answer names the site", keys=PATTERN, optional=True, with_=_HTTP),
    "ca": Key(Kind.TEXT, "PEM file of authorities", optional=True, with_=("mode", (Mode.TLS.value,))),
}
VIP = {
    "name": Key(Kind.NAME, "name of the VIP"),
    "address": Key(Kind.ADDRESS, "the anycast address"),
    "port": Key(Kind.WHOLE, "TCP port", 1, 65535),
    "service": Key(Kind.SECTION, "what stands behind the VIP; without it, `mode: line`", keys=SERVICE, optional=True),
}
NAT_POOL = {
    "name": Key(Kind.NAME, "name of the NAT pool"),
    "network": Key(Kind.NETWORK, "its addresses, without host bits"),
}
NODE = {
    "host": _HOST,
    "addresses": Key(Kind.ADDRESSES, "addresses that the node may show in ICMP errors"),
}
ANNOUNCES = {
    "host": _HOST,
    "command": Key(Kind.WORDS, "a program and its arguments, which only looks"),
    "shows": Key(Kind.TEXT, "what it prints while the site announces the VIP"),
}
SITE = {
    "nat_pool": Key(Kind.SECTION, "the addresses that the site uses towards the servers", keys=NAT_POOL),
    "nodes": Key(Kind.NAMED, "the load balancers of the site, by name", keys=NODE),
    "announces": Key(Kind.SECTION, "how to see that the site announces the VIP", keys=ANNOUNCES, optional=True),
}
AGENTS = ("here", "bus")
VANTAGE = {
    "host": _HOST,
    "sessions": Key(Kind.WHOLE, "how many sessions are held", 1, MOST_SESSIONS),
    "period_s": Key(Kind.NUMBER, "between two heartbeats of a session", 0.005, 10),
    "agent": Key(
        Kind.ONE_OF, "who runs its probe: this machine, or its own agent, over the bus", choices=AGENTS, optional=True
    ),
    "sources": Key(Kind.ADDRESSES, "addresses that the sessions come from, in turn", high=MOST_SOURCES, optional=True),
}
_BY_SSH = ("transport", ("ssh", "cli"))
_BY_HTTPS = ("transport", ("https",))
HOST = {
    "transport": Key(Kind.ONE_OF, "how the host is reached", choices=TRANSPORTS),
    "target": Key(
        Kind.MACHINE,
        "with netns the namespace, else the machine's name or address",
        needed_with=("transport", TRANSPORTS[1:]),
    ),
    "user": Key(Kind.NAME, "who logs in", optional=True, with_=_BY_SSH),
    "port": Key(Kind.WHOLE, "the far port", 1, 65535, optional=True, with_=("transport", TRANSPORTS[2:])),
    "identity_file": Key(Kind.FILE, "the private key", optional=True, with_=_BY_SSH),
    "known_hosts": Key(Kind.FILE, "the host keys that are trusted", optional=True, with_=_BY_SSH),
    "password_file": Key(Kind.FILE, "a private file with the password", optional=True, with_=("transport", ("cli",))),
    "credentials_file": Key(Kind.FILE, "a private file with user and password", optional=True, with_=_BY_HTTPS),
    "credentials_env": Key(Kind.NAME, "the variable that has them", optional=True, with_=_BY_HTTPS),
    "ca_file": Key(Kind.FILE, "the authorities that are trusted", optional=True, with_=_BY_HTTPS),
    "guard": Key(Kind.NAME, "the guard that reaches it, over the bus; without it, this machine does", optional=True),
}
_WEEKDAYS = Key(Kind.NAMES, "mon, tue ...; without it, every day", 1, choices=WEEKDAYS, optional=True)
_OPENS = Key(Kind.TIME, "when it opens, such as 22:00")
_CLOSES = Key(Kind.TIME, "when it closes, up to 24:00; before `from`: on the next day")
_ZONE = Key(Kind.ZONE, "the zone of its dates and times")
_DAYS = {
    "date": Key(Kind.DATE, "one day, such as 2026-12-24, or else `from` and `to`", optional=True),
    "from": Key(Kind.DATE, "the first day", without="date"),
    "to": Key(Kind.DATE, "the last day", without="date"),
}
WINDOW = {"weekdays": _WEEKDAYS, "from": _OPENS, "to": _CLOSES, "time_zone": _ZONE}
FREEZE = {"name": Key(Kind.NAME, "name of the freeze"), **_DAYS, "time_zone": _ZONE}
RAILS = {
    "windows": Key(Kind.SECTIONS, "when a run may be; without it, always", keys=WINDOW, optional=True),
    "freezes": Key(Kind.SECTIONS, "days on which none may be", keys=FREEZE, optional=True),
    "survivors": Key(Kind.WHOLE, "so many sites must go on announcing the VIP", 1, 1000, optional=True),
}
INVENTORY = {
    "vip": Key(Kind.SECTION, "the address and port that clients use", keys=VIP),
    "sites": Key(Kind.NAMED, "the data centres that announce the VIP, by name", keys=SITE),
    "vantages": Key(Kind.NAMED, "the places that probes run from, by name", keys=VANTAGE),
    "hosts": Key(Kind.NAMED, "how each machine is reached, by name", keys=HOST),
    "allowed_targets": Key(Kind.NAMES, "hosts that may be touched; without it, none", low=1, optional=True),
    "rails": Key(Kind.SECTION, "what no run may break", keys=RAILS, optional=True),
}

STEADY_STATE = {
    "answered_by": Key(Kind.TEXTS, "which site answers each vantage"),
    "for_s": Key(Kind.NUMBER, "how long that must hold", 1, LONGEST_GATE_S),
    "timeout_s": Key(Kind.NUMBER, "how long it is waited for", 1, LONGEST_GATE_S),
}
FAULT = {
    "name": Key(Kind.NAME, "name of the fault"),
    "driver": Key(Kind.DRIVER, "what kind of fault"),
    "target": Key(Kind.NAME, "host in allowed_targets"),
    "arguments": Key(Kind.ARGUMENTS, "what the driver asks for"),
    "at_s": Key(Kind.NUMBER, "when it is injected after the method began; without it, 0", 0, LONGEST_S, optional=True),
    "hold_s": Key(
        Kind.NUMBER, "how long it stays; without it, until the experiment's hold is over", 0.1, LONGEST_S, optional=True
    ),
    "takes": Key(
        Kind.NAMES, "nodes and sites that it takes out of service; without it, the node of the target", optional=True
    ),
}
_VANTAGES = Key(Kind.NAMES, "names of vantages", low=1)
EXPECTATION = {
    "vantages": _VANTAGES,
    "site": Key(Kind.NAME, "site that answers them", optional=True),
    "node": Key(Kind.NAME, "node that answers them", optional=True),
    "nat_pool": Key(Kind.NAME, "NAT pool that they are answered through", optional=True),
    "sessions": Key(Kind.ONE_OF, "what becomes of their sessions", choices=tuple(Sessions), optional=True),
    "outage_upper_s": Key(Kind.NUMBER, "the worst data-plane outage is shorter", 0.001, LONGEST_S, optional=True),
    "new_connections_upper_s": Key(
        Kind.NUMBER, "new connections are answered again within", 0.001, LONGEST_S, optional=True
    ),
    "seen_as": Key(
        Kind.NAMES,
        "what it may be seen as from outside",
        1,
        choices=(*(str(name) for name in Name), NOTHING),
        optional=True,
    ),
}
"""An expectation has one key beside `vantages` at least."""
ABORT = {
    "vantages": _VANTAGES,
    "outage_s": Key(Kind.NUMBER, "longest silence of a session", 0.1, LONGEST_S),
    "stale_s": Key(Kind.NUMBER, "oldest telemetry; without it, 3", 1, LONGEST_GATE_S, optional=True),
}
EXPERIMENT = {
    "name": Key(Kind.NAME, "name of the experiment"),
    "title": Key(Kind.TEXT, "one line for people"),
    "flavours": Key(Kind.NAMES, "flavours that the lab must have; without it, any network will do", 1, optional=True),
    "steady_state": Key(Kind.SECTION, "what must hold before and after", keys=STEADY_STATE),
    "faults": Key(Kind.SECTIONS, "what is injected", keys=FAULT, without="reverts"),
    "reverts": Key(Kind.NAME, "earlier experiment whose faults are reverted, instead of faults", optional=True),
    "hold_s": Key(Kind.NUMBER, "how long the faults stay after the last was injected", 1, LONGEST_S),
    "lease_s": Key(Kind.NUMBER, "when the faults are reverted whoever has died", 1, LONGEST_S, without="reverts"),
    "contact_s": Key(
        Kind.NUMBER,
        "over the bus: the faults are reverted when the guard has heard nothing for so long; without it, at lease_s",
        2,
        LONGEST_S,
        optional=True,
        without="reverts",
    ),
    "settle_s": Key(Kind.NUMBER, "how long the steady state must hold afterwards", 1, LONGEST_S),
    "together": Key(Kind.FLAG, "its faults may be out while another run's are; without it, false", optional=True),
    "expectations": Key(Kind.SECTIONS, "what each vantage must see", keys=EXPECTATION),
    "abort": Key(Kind.SECTIONS, "when everything is reverted at once", keys=ABORT),
    "slower_limit_s": Key(
        Kind.NUMBER,
        "how much slower than its baseline it may get, at most; without it, no limit",
        0.001,
        LONGEST_S,
        optional=True,
    ),
}

TIMINGS = ("cron", "once", "random")
"""A game day has one of these keys."""
PAUSE = {"name": Key(Kind.NAME, "what is said of a run that it blocks", optional=True), **_DAYS}
RANDOM = {
    "every": Key(Kind.ONE_OF, "one run in each of these", choices=tuple(Every)),
    "weekdays": _WEEKDAYS,
    "from": _OPENS,
    "to": _CLOSES,
    "seed": Key(Kind.WHOLE, "what the instants are drawn by", 0, 999_999),
}
GAME_DAY = {
    "name": Key(Kind.NAME, "name of the game day", high=40),  # files and runs are named after it and the instant
    "inventory": Key(Kind.TEXT, "the path of an inventory, relative to this file"),
    "experiments": Key(Kind.FILES, "the paths of experiments, in the order in which they run"),
    "cron": Key(Kind.TEXT, "minute, hour, day of the month, month, weekday by name", optional=True),
    "once": Key(Kind.MOMENT, "such as 2026-12-01 22:30", optional=True),
    "random": Key(Kind.SECTION, "an instant that is drawn", keys=RANDOM, optional=True),
    "time_zone": _ZONE,
    "pauses": Key(Kind.SECTIONS, "days on which it is not run", keys=PAUSE, optional=True),
    "grace_s": Key(Kind.NUMBER, "how late it may still start", 1, 86_400),
    "enabled": Key(Kind.FLAG, "whether it is run at all"),
}
GAME_DAYS = {"game_days": Key(Kind.SECTIONS, "what is run when", keys=GAME_DAY)}

_MOST = 1_000_000
CAPS = {
    "lease_s": Key(Kind.NUMBER, "longest lease", 1, 86_400, optional=True),
    "concurrent_faults": Key(Kind.WHOLE, "faults that may be out at one time", 0, _MOST, optional=True),
    "faults_a_day": Key(Kind.WHOLE, "faults given in 24 hours", 0, _MOST, optional=True),
    "flaps_an_hour": Key(Kind.WHOLE, "withdrawals of one VIP's route in an hour", 0, _MOST, optional=True),
    "allowed_targets": Key(Kind.NAMES, "hosts; without it, those of the inventory", low=1, optional=True),
}
"""What a guard allows, in a file of its own."""

MEMBER = {
    "role": Key(Kind.ONE_OF, "what it is on the bus", choices=tuple(Role)),
    "name": Key(Kind.NAME, "its name there"),
    "urls": Key(Kind.WORDS, "where the servers of the bus are"),
    "ca_file": Key(Kind.FILE, "the authorities that are trusted", optional=True),
    "trusted": Key(Kind.TEXTS, "of a guard: the controllers whose orders it takes, and their keys", optional=True),
}
"""Of the file that `vipchaos enrol` writes for each member of the bus."""
