"""The driver `frr`: changes a few lines of an FRR router's running configuration by vtysh, and puts them back.

What is out is read from the running configuration, line by line, and what became of it from the daemons. Nothing is
written to a startup configuration. vtysh 8.4 ends with 1 for most of what is refused, but not for all of it (with 0 for
a static route that is not there): what a daemon says behind a `%` is a refusal, too.

`max-metric router-lsa` is not among the actions: it raises the cost of transit alone, and the metric of an external
route, such as one to a VIP, stays as it is (seen so with 8.4). That follows `redistributed-metric`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from chaos.driver import Arguments, Commands, Prior, Term
from chaos.transport import Reply, Target
from core.drivers import Argument, ArgumentKind, Declared

LONGEST_MESSAGE = 128
"""Octets of a shutdown's message that reach the neighbour (RFC 8203, section 2)."""
RUNNING = "show running-config"
# But for a configuration file of vtysh's own, which need not be there.
_REFUSAL = re.compile(r"^\s*%(?! Can't open configuration file)", re.MULTILINE)
_OF_BGP = ("action", ("shutdown-neighbor", "withdraw-network"))


@dataclass(frozen=True, slots=True)
class _Place:
    """Lines of the running configuration: those in the section `section` that begin with the words `about`."""

    section: tuple[str, ...]
    about: str


class FrrDriver:
    """Each action changes the lines of one place (`_Place`)."""

    declared = Declared(
        {
            "vty_socket": Argument(ArgumentKind.PATH, "the directory of the daemons' sockets", default="/var/run/frr"),
            "action": Argument(
                ArgumentKind.NAME,
                "what is done",
                (
                    "shutdown-neighbor",
                    "withdraw-network",
                    "withdraw-static",
                    "interface-cost",
                    "redistributed-metric",
                ),
            ),
            "asn": Argument(
                ArgumentKind.WHOLE, "the number in `router bgp`", low=1, high=4_294_967_295, only_with=_OF_BGP
            ),
            "neighbor": Argument(
                ArgumentKind.ADDRESS,
                "the neighbour that is shut down",
                only_with=("action", ("shutdown-neighbor",)),
            ),
            "prefix": Argument(
                ArgumentKind.NETWORK,
                "the route",
                only_with=("action", ("withdraw-network", "withdraw-static", "redistributed-metric")),
            ),
            "interface": Argument(
                ArgumentKind.NAME, "the interface that gets the cost", only_with=("action", ("interface-cost",))
            ),
            "cost": Argument(
                ArgumentKind.WHOLE, "its OSPF cost", low=1, high=65535, only_with=("action", ("interface-cost",))
            ),
            "source": Argument(
                ArgumentKind.NAME,
                "what is redistributed into OSPF",
                ("bgp", "connected", "kernel", "static"),
                only_with=("action", ("redistributed-metric",)),
            ),
            "metric": Argument(
                ArgumentKind.WHOLE, "its metric", high=16_777_214, only_with=("action", ("redistributed-metric",))
            ),
        }
    )

    def commands(self, arguments: Arguments) -> Commands:
        """See `Driver.commands`. What other words a line has, and how many such lines there are, is not known yet."""
        about = _place(arguments).about
        match arguments["action"]:
            case "shutdown-neighbor":
                inject = _fault(arguments, [], "<lease>")
                revert = _edit(inject, [])
            case "interface-cost":
                inject = _fault(arguments, [], "")
                revert = [f"<{about} of before, or no {inject[0]}>"]
            case "redistributed-metric":
                revert = [f"{about}<its other words>"]
                inject = _fault(arguments, revert, "")
            case _:
                inject, revert = [f"<no {about} ..., each>"], [f"<{about} ..., each>"]
        look = (_vtysh(arguments, RUNNING), _vtysh(arguments, _look(arguments)))
        return Commands((_configuring(arguments, inject),), look, (_configuring(arguments, revert),))

    def prior(self, target: Target, arguments: Arguments, term: Term) -> Prior | None:
        """See `Driver.prior`: the lines of before, and those of the fault. None where nobody would notice the fault."""
        lines, _ = _lines(target, arguments)
        if lines is None or bool(lines) not in _MAY_HAVE_LINES[str(arguments["action"])]:
            return None
        if arguments["action"] == "interface-cost" and any(len(line.split()) != 4 for line in lines):
            return None  # a cost of one address: ours would not replace it
        fault = _fault(arguments, lines, term.name)
        if lines == fault or _has_effect(target, arguments)[0] is not False:
            return None
        return {"lines": lines, "fault": fault}

    def inject(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.inject`. Lines that another has changed since are left as they are."""
        lines, seen = _lines(target, arguments)
        before, fault = _of(prior, "lines"), _of(prior, "fault")
        if lines is None or (lines != before and not _is_ours(lines, prior)):
            return Reply(("vtysh",), -1, "", f"it is not as it was: {seen}")
        if lines == fault:
            return Reply(("vtysh",), 0, "", f"it is so already: {seen}")
        return _do(target, _configuring(arguments, _edit(lines, fault)))

    def revert(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.revert`: the lines of before, unless others have taken the place of ours."""
        lines, seen = _lines(target, arguments)
        if lines is None:
            return Reply(("vtysh",), -1, "", seen)
        if not _is_ours(lines, prior):
            return Reply(("vtysh",), 0, "", f"nothing of ours is there: {seen}")
        return _do(target, _configuring(arguments, _edit(lines, _of(prior, "lines"))))

    def is_out(self, target: Target, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """See `Driver.is_out`: when the lines are ours and the daemon has done as they say."""
        lines, seen = _lines(target, arguments)
        if lines is None:
            return None, seen
        if not _is_ours(lines, prior):
            return False, seen
        effect, shown = _has_effect(target, arguments)
        return (True if effect and lines == _of(prior, "fault") else None), f"{seen}; {shown}"


def _place(arguments: Arguments) -> _Place:
    prefix = str(arguments.get("prefix"))
    version = "ipv6" if ":" in prefix else "ipv4"
    bgp = f"router bgp {arguments.get('asn')}"
    match arguments["action"]:
        case "shutdown-neighbor":
            return _Place((bgp,), f"neighbor {arguments['neighbor']} shutdown")
        case "withdraw-network":
            return _Place((bgp, f"address-family {version} unicast"), f"network {prefix}")
        case "withdraw-static":
            return _Place((), f"{'ip' if version == 'ipv4' else version} route {prefix}")
        case "interface-cost":
            return _Place((f"interface {arguments['interface']}",), "ip ospf cost")
        case _:
            return _Place(("router ospf",), f"redistribute {arguments['source']}")


_MAY_HAVE_LINES = {
    "shutdown-neighbor": (False,),  # who has shut it down already will bring it up again, too
    "withdraw-network": (True,),
    "withdraw-static": (True,),
    "interface-cost": (False, True),
    "redistributed-metric": (True,),
}
"""By action: whether there may be lines before the fault."""


def _fault(arguments: Arguments, before: list[str], name: str) -> list[str]:
    """Return the lines that are there while the fault is out. `name` is that of nobody else's shutdown."""
    about = _place(arguments).about
    match arguments["action"]:
        case "shutdown-neighbor":
            return [f"{about} message {f'vipchaos {name}'[:LONGEST_MESSAGE]}"]
        case "interface-cost":
            return [f"{about} {arguments['cost']}"]
        case "redistributed-metric":
            metric = f"metric {arguments['metric']}"
            rest = re.sub(r" metric [0-9]+", "", before[0].removeprefix(about))
            return [f"{about} {metric}{rest}"]
        case _:
            return []


def _edit(now: list[str], then: list[str]) -> list[str]:
    """Return what makes lines `then` of lines `now`. A line of the same place replaces the one that is there."""
    return then or [f"no {line}" for line in now]


def _is_ours(lines: list[str], prior: Prior) -> bool:
    """Whether the lines are those of the fault, or some of several that it takes away are gone: who took was killed."""
    fault = _of(prior, "fault")
    return lines == fault or (not fault and set(lines) < set(_of(prior, "lines")))


def _vtysh(arguments: Arguments, *commands: str) -> tuple[str, ...]:
    words = [word for command in commands for word in ("-c", command)]
    return "vtysh", "--vty_socket", str(arguments["vty_socket"]), *words


def _configuring(arguments: Arguments, lines: list[str]) -> tuple[str, ...]:
    return _vtysh(arguments, "configure terminal", *_place(arguments).section, *lines)


def _do(target: Target, argv: tuple[str, ...]) -> Reply:
    reply = target.do(argv)
    refused = reply.code == 0 and _REFUSAL.search(reply.out + "\n" + reply.error)
    return Reply(reply.argv, 1, reply.out, reply.error) if refused else reply


def _of(prior: Prior, key: str) -> list[str]:
    lines = prior[key]
    return [str(line) for line in lines] if isinstance(lines, list) else []


def _lines(target: Target, arguments: Arguments) -> tuple[list[str] | None, str]:
    """Return the lines that the fault is about, and what was seen; None when they cannot be told."""
    reply = target.look(_vtysh(arguments, RUNNING))
    place = _place(arguments)
    if reply.code != 0 or "Current configuration:" not in reply.out:
        return None, reply.words
    if place.section and place.section[-1] not in _section(reply.out, place.section[:-1]):
        return None, f"there is no {' / '.join(place.section)} in the running configuration"
    found = [line for line in _section(reply.out, place.section) if f"{line} ".startswith(f"{place.about} ")]
    return found, f"running configuration: {'; '.join(found) or f'no {place.about}'}"


def _section(configuration: str, section: tuple[str, ...]) -> list[str]:
    """Return the lines of a section, without those of its own sections. A line is indented by one for each it is in."""
    found: list[str] = []
    path: list[str] = []
    for line in configuration.splitlines():
        text = line.strip()
        if not text or text.startswith("!"):
            continue
        del path[len(line) - len(line.lstrip()) :]
        if tuple(path) == section:
            found.append(text)
        path.append(text)
    return found


def _look(arguments: Arguments) -> str:
    """Return the command that shows what has become of the lines."""
    prefix = str(arguments.get("prefix"))
    version = "ipv6" if ":" in prefix else "ipv4"
    match arguments["action"]:
        case "shutdown-neighbor":
            return f"show bgp neighbors {arguments['neighbor']} json"
        case "withdraw-network":
            return f"show bgp {version} unicast {prefix} json"
        case "withdraw-static":
            return f"show {'ip' if version == 'ipv4' else version} route {prefix} json"
        case "interface-cost":
            return f"show ip ospf interface {arguments['interface']} json"
        case _:
            return f"show ip ospf database external {prefix.partition('/')[0]} self-originate"


def _has_effect(target: Target, arguments: Arguments) -> tuple[bool | None, str]:
    """Return whether the daemon has done what the lines of the fault say, and what it shows."""
    reply = target.look(_vtysh(arguments, _look(arguments)))
    if arguments["action"] == "redistributed-metric":
        metrics = re.findall(r"^\s+Metric: ([0-9]+)", reply.out, re.MULTILINE)
        return (metrics[-1] == str(arguments["metric"]) if metrics else None), f"LSA: metric {', '.join(metrics)}"
    try:
        shown = json.loads(reply.out)
        match arguments["action"]:
            case "shutdown-neighbor":
                state = shown[str(arguments["neighbor"])]["bgpState"]
                return state != "Established", f"neighbor {arguments['neighbor']}: {state}"
            case "withdraw-network":
                own = sum(bool(path.get("sourced")) for path in shown.get("paths", []))
                return own == 0, f"{own} own paths to {arguments['prefix']}"
            case "withdraw-static":
                routes = sum(route["protocol"] == "static" for route in shown.get(str(arguments["prefix"]), []))
                return routes == 0, f"{routes} static routes to {arguments['prefix']}"
            case _:
                cost = shown["interfaces"][str(arguments["interface"])]["cost"]
                return cost == arguments["cost"], f"{arguments['interface']}: cost {cost}"
    except (ValueError, LookupError, TypeError, AttributeError):
        return None, reply.words
