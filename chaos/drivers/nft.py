"""The driver `nft`: drops, rejects or loses some of what matches, in a table of its own that the kernel ends.

The rule looks at a set whose elements time out with the lease: after that the kernel lets everything pass, whoever is
dead. Only that table is ever touched, so the rules of others stay as they are.
"""

from __future__ import annotations

import json
import time

from chaos.driver import Arguments, Commands, Prior, Term
from chaos.transport import Reply, Target
from core.drivers import Argument, ArgumentKind, Declared

PREFIX = "vipchaos_fault_"
PRIORITY = -500
"""Before connection tracking, so that what is dropped leaves no state."""
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58, "ospf": 89, "vrrp": 112}
"""IP protocol numbers as of IANA: not every machine has their names."""
_PORT = Argument(ArgumentKind.WHOLE, "port", low=1, high=65535, optional=True, only_with=("protocol", ("tcp", "udp")))


class NftDriver:
    """What matches is said by hook, addresses, protocol and ports; without those everything does."""

    declared = Declared(
        {
            "action": Argument(ArgumentKind.NAME, "what becomes of what matches", ("drop", "reject", "lose")),
            "percent": Argument(
                ArgumentKind.WHOLE, "so many of a hundred are lost", low=1, high=99, only_with=("action", ("lose",))
            ),
            "hook": Argument(
                ArgumentKind.NAME, "which way of the packets", ("prerouting", "input", "forward", "output")
            ),
            "source": Argument(ArgumentKind.NETWORK, "source address or network", optional=True),
            "destination": Argument(ArgumentKind.NETWORK, "destination address or network", optional=True),
            "protocol": Argument(
                ArgumentKind.NAME, "IP protocol", ("icmp", "icmpv6", "ospf", "tcp", "udp", "vrrp"), optional=True
            ),
            "source_port": _PORT,
            "destination_port": _PORT,
        }
    )

    def commands(self, arguments: Arguments) -> Commands:
        """See `Driver.commands`."""
        table = f"{PREFIX}<LEASE>"
        listing = ("nft", "-j", "list", "table", "inet", table)
        making, arming = _making(arguments, table), _arming(table, "<lease>")
        return Commands((making, arming), (listing,), (_deleting(table),))

    def prior(self, target: Target, arguments: Arguments, term: Term) -> Prior | None:
        """See `Driver.prior`: the table's name, and when its rule expires."""
        del arguments
        prior = {"table": PREFIX + term.name, "deadline_ns": term.deadline_ns}
        out, _ = self.is_out(target, {}, prior)
        return prior if out is False else None

    def inject(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.inject`: the rule is made ahead, unarmed; to arm it takes the kernel no time worth measuring.

        (A new chain would: nft(8) is back only after a grace period, 10 ms later and more.)
        """
        left_ms = (int(str(prior["deadline_ns"])) - time.monotonic_ns()) // 1_000_000
        if left_ms <= 0:
            return Reply(("nft",), -1, "", "the lease is over")
        made = target.prepare(_making(arguments, str(prior["table"])))
        return made if made.code else target.do(_arming(str(prior["table"]), str(left_ms)))

    def revert(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.revert`. Declared first, so that it may be gone already."""
        del arguments
        return target.do(_deleting(str(prior["table"])))

    def is_out(self, target: Target, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """See `Driver.is_out`: whether the table is there and its rule has not expired."""
        del arguments
        reply = target.look(["nft", "-j", "list", "tables"])
        try:
            if ("inet", prior["table"]) not in _tables(reply.out):
                return False, f"there is no table {prior['table']}"
            reply = target.look(["nft", "-j", "list", "table", "inet", str(prior["table"])])
            entries = json.loads(reply.out)["nftables"]
            (switch,) = (entry["set"] for entry in entries if "set" in entry)
            (rule,) = (entry["rule"] for entry in entries if "rule" in entry)
            (met,) = (part["counter"]["packets"] for part in rule["expr"] if "counter" in part)
            left_s = [int(element["elem"]["expires"]) for element in switch.get("elem", [])]
        except (ValueError, LookupError, TypeError):
            return None, reply.words
        expires = f"expires in {min(left_s)} s" if left_s else "not armed any more"
        return bool(left_s), f"table {prior['table']}: {expires}, met {met} packets"


def _making(arguments: Arguments, table: str) -> tuple[str, ...]:
    name = f"table inet {table}"
    rule = " ".join(["meta nfproto @armed", *_matches(arguments), "counter", _verdict(arguments)])
    hook = f"type filter hook {arguments['hook']} priority {PRIORITY}; policy accept;"
    switch = "set armed { type nf_proto; flags timeout; }"
    chain = f"chain fault {{ {hook} {rule}; }}"
    return "nft", f"{name}; delete {name}; {name} {{ {switch}; {chain}; }}"


def _arming(table: str, left_ms: str) -> tuple[str, ...]:
    elements = ", ".join(f"{version} timeout {left_ms}ms" for version in ("ipv4", "ipv6"))
    return "nft", f"add element inet {table} armed {{ {elements} }}"


def _deleting(table: str) -> tuple[str, ...]:
    return "nft", f"table inet {table}; delete table inet {table}"


def _tables(listed: str) -> set[tuple[str, str]]:
    entries = json.loads(listed)["nftables"]
    return {(entry["table"]["family"], entry["table"]["name"]) for entry in entries if "table" in entry}


def _matches(arguments: Arguments) -> list[str]:
    found = []
    for name, field in (("source", "saddr"), ("destination", "daddr")):
        if name in arguments:
            found.append(f"{'ip6' if ':' in str(arguments[name]) else 'ip'} {field} {arguments[name]}")
    protocol = arguments.get("protocol")
    if protocol is not None:
        found.append(f"meta l4proto {PROTOCOLS[str(protocol)]}")
    for name, field in (("source_port", "sport"), ("destination_port", "dport")):
        if name in arguments:
            found.append(f"{protocol} {field} {arguments[name]}")
    return found


def _verdict(arguments: Arguments) -> str:
    match arguments["action"]:
        case "lose":
            return f"numgen random mod 100 < {arguments['percent']} drop"
        case "reject" if arguments.get("protocol") == "tcp":
            return "reject with tcp reset"
        case "reject":
            return "reject with icmpx type admin-prohibited"
        case _:
            return "drop"
