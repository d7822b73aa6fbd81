"""The driver `gobgp`: withdraws a path of GoBGP's own or announces one, or disables a neighbour, by the gobgp command.

GoBGP 3.10: what went well says nothing (docs/sources/cli-command-syntax.md of GoBGP); what it shows, it shows as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from chaos.announced import ANNOUNCED
from chaos.driver import Arguments, Commands, Prior, Term
from chaos.transport import Reply, Target
from core.drivers import Argument, ArgumentKind, Declared

ORIGINS = ("igp", "egp", "incomplete")
"""Of the attribute ORIGIN, by its number (RFC 4271, 5.1.1)."""
AS_SEQUENCE = 2
"""RFC 4271, 4.3: the one kind of segment that the command takes."""
ESTABLISHED = 6
"""`session_state` in GoBGP's API."""
Attribute = Mapping[str, object]


class GobgpDriver:
    """Withdraws or announces a path of GoBGP's own, or disables a neighbour."""

    declared = Declared(
        {
            "port": Argument(ArgumentKind.WHOLE, "the port of its gRPC API", low=1, high=65535, default=50051),
            "action": Argument(ArgumentKind.NAME, "what is done", ("withdraw", "announce", "disable-neighbor")),
            "prefix": Argument(ArgumentKind.NETWORK, "the route", only_with=("action", ("withdraw", "announce"))),
            **ANNOUNCED,
            "neighbor": Argument(
                ArgumentKind.ADDRESS, "the neighbour that is disabled", only_with=("action", ("disable-neighbor",))
            ),
        }
    )

    def commands(self, arguments: Arguments) -> Commands:
        """See `Driver.commands`."""
        if arguments["action"] == "disable-neighbor":
            return Commands(
                (_of_neighbor(arguments, "disable"),),
                (_of_neighbor(arguments, "-j"),),
                (_of_neighbor(arguments, "enable"),),
            )
        withdraw, prove = _rib(arguments, "del"), (_listing(arguments),)
        if arguments["action"] == "withdraw":
            return Commands((withdraw,), prove, ((*_rib(arguments, "add"), "<attributes of before>"),))
        return Commands(((*_rib(arguments, "add"), *_announcement(arguments)),), prove, (withdraw,))

    def prior(self, target: Target, arguments: Arguments, term: Term) -> Prior | None:
        """See `Driver.prior`: of `withdraw`, the attributes of the path as the command `gobgp` takes them.

        None where there is more than one path of its own, or one with an attribute that could not be put back.
        """
        del term
        if arguments["action"] == "disable-neighbor":
            return {} if self.is_out(target, arguments, {})[0] is False else None
        paths, _ = _own_paths(target, arguments)
        if arguments["action"] == "announce":
            return {"attributes": []} if paths == [] else None
        return {"attributes": paths[0]} if paths and len(paths) == 1 and paths[0] is not None else None

    def inject(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.inject`. A path that another has changed since is left as it is."""
        if arguments["action"] == "disable-neighbor":
            return _do(target, _of_neighbor(arguments, "disable"))
        paths, seen = _own_paths(target, arguments)
        is_withdrawal = arguments["action"] == "withdraw"
        before, after = prior["attributes"], [] if is_withdrawal else [_announcement(arguments)]
        if paths == after:
            return Reply(("gobgp",), 0, "", f"{arguments['prefix']} is so already")
        if paths != ([before] if is_withdrawal else []):
            return Reply(("gobgp",), -1, "", f"{arguments['prefix']} is not as it was: {seen}")
        if is_withdrawal:
            return _do(target, _rib(arguments, "del"))
        return _do(target, (*_rib(arguments, "add"), *_announcement(arguments)))

    def revert(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.revert`: where no other path of its own has taken the place."""
        if arguments["action"] == "disable-neighbor":
            return _do(target, _of_neighbor(arguments, "enable"))
        paths, seen = _own_paths(target, arguments)
        if paths is None:
            return Reply(("gobgp",), -1, "", seen)
        before = prior["attributes"]
        if arguments["action"] == "withdraw" and paths == [] and isinstance(before, list):
            return _do(target, (*_rib(arguments, "add"), *map(str, before)))
        if arguments["action"] == "announce" and paths == [_announcement(arguments)]:
            return _do(target, _rib(arguments, "del"))
        return Reply(("gobgp",), 0, "", f"nothing of ours is there: {seen}")

    def is_out(self, target: Target, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """See `Driver.is_out`: the paths of its own in the global table, or the neighbour's states."""
        del prior
        if arguments["action"] == "disable-neighbor":
            return _is_disabled(target, arguments)
        paths, seen = _own_paths(target, arguments)
        if paths is None:
            return None, seen
        return (paths == []) if arguments["action"] == "withdraw" else (paths == [_announcement(arguments)]), seen


def _gobgp(arguments: Arguments, *words: str) -> tuple[str, ...]:
    return "gobgp", "-u", "127.0.0.1", "-p", str(arguments["port"]), *words


def _family(arguments: Arguments) -> tuple[str, str]:
    return "-a", "ipv6" if ":" in str(arguments["prefix"]) else "ipv4"


def _rib(arguments: Arguments, verb: str) -> tuple[str, ...]:
    return _gobgp(arguments, "global", "rib", verb, *_family(arguments), str(arguments["prefix"]))


def _listing(arguments: Arguments) -> tuple[str, ...]:
    return _gobgp(arguments, "-j", "global", "rib", *_family(arguments), str(arguments["prefix"]))


def _of_neighbor(arguments: Arguments, verb: str) -> tuple[str, ...]:
    if verb == "-j":
        return _gobgp(arguments, "-j", "neighbor", str(arguments["neighbor"]))
    return _gobgp(arguments, "neighbor", str(arguments["neighbor"]), verb)


def _do(target: Target, argv: tuple[str, ...]) -> Reply:
    """Run what says nothing when it went well."""
    reply = target.do(argv)
    complained = reply.code == 0 and reply.out.strip()
    return Reply(reply.argv, 1, reply.out, reply.error) if complained else reply


def _announcement(arguments: Arguments) -> list[str]:
    """Return the attributes of the path that `announce` announces, in the order in which `_words` has them."""
    words = ["origin", "igp", "nexthop", str(arguments["next_hop"])]
    if "med" in arguments:
        words += ["med", str(arguments["med"])]
    communities = arguments.get("communities", ())
    if isinstance(communities, list | tuple) and communities:
        words += ["community", ",".join(str(each) for each in communities)]
    return words


def _own_paths(target: Target, arguments: Arguments) -> tuple[list[list[str] | None] | None, str]:
    """Return the attributes of each path that GoBGP itself announces (None where they cannot be told)."""
    reply = target.look(_listing(arguments))
    if reply.code != 0:
        return None, reply.words
    try:
        found = json.loads(reply.out)
        paths = found if isinstance(found, list) else found.get(str(arguments["prefix"]), [])
        own = [path for path in paths if _is_own(path)]
        words = [_words(path["attrs"]) for path in own]
    except (ValueError, LookupError, TypeError, AttributeError):
        return None, reply.words
    seen = [" ".join(each) if each else "a path with other attributes" for each in words]
    return words, f"{arguments['prefix']}: {'; '.join(seen) or 'no path of its own'}"


def _is_own(path: Mapping[str, object]) -> bool:
    return path.get("neighbor-ip") in (None, "", "<nil>", "invalid IP")


def _words(attributes: list[Attribute]) -> list[str] | None:
    """Return the attributes as `gobgp global rib add` takes them, or None where it does not take one of them."""
    found: dict[int, list[str]] = {}
    for attribute in attributes:
        kind = int(str(attribute["type"]))
        if kind not in _WORDS:
            return None
        found[kind] = _WORDS[kind](attribute)
    return [word for kind in _WORDS for word in found.get(kind, [])]


def _as_path(attribute: Attribute) -> list[str]:
    segments = attribute.get("as_paths") or []
    if not isinstance(segments, list):
        raise TypeError("as_paths")
    if not segments:
        return []
    (segment,) = segments
    if segment["segment_type"] != AS_SEQUENCE:
        raise ValueError("an AS_SET")
    return ["aspath", " ".join(str(number) for number in segment["asns"])]


def _communities(attribute: Attribute) -> list[str]:
    numbers = attribute["communities"]
    if not isinstance(numbers, list):
        raise TypeError("communities")
    return ["community", ",".join(f"{number >> 16}:{number & 0xFFFF}" for number in numbers)]


_WORDS: Mapping[int, Callable[[Attribute], list[str]]] = {
    1: lambda attribute: ["origin", ORIGINS[int(str(attribute["value"]))]],
    2: _as_path,
    3: lambda attribute: ["nexthop", str(attribute["nexthop"])],
    4: lambda attribute: ["med", str(attribute["metric"])],
    5: lambda attribute: ["local-pref", str(attribute["value"])],
    8: _communities,
}
"""By the attribute's number (RFC 4271; RFC 1997): how `gobgp global rib add` has it, from how `gobgp -j` shows it."""


def _is_disabled(target: Target, arguments: Arguments) -> tuple[bool | None, str]:
    reply = target.look(_of_neighbor(arguments, "-j"))
    try:
        found = json.loads(reply.out)
        state = (found[0] if isinstance(found, list) else found)["state"]
        admin, session = int(state.get("admin_state", 0)), int(state.get("session_state", 0))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None, reply.words
    seen = f"neighbor {arguments['neighbor']}: admin_state {admin}, session_state {session}"
    return (False if admin == 0 else None if session == ESTABLISHED else True), seen
