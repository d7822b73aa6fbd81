"""The driver `exabgp`: withdraws a route that ExaBGP announces, or announces one, over its API's named pipes.

ExaBGP 4.2 answers a command on the second FIFO by lines, the last of which is `done` or `error`; `done` comes even
where there was no such route to withdraw. What can be seen is `show adj-rib out`: what each neighbour is to have.
Whether a neighbour has it is seen by `show neighbor summary` alone: a session that is not up announces nothing.
"""

from __future__ import annotations

import re

from chaos.announced import ANNOUNCED
from chaos.driver import Arguments, Commands, Prior, Term
from chaos.transport import Reply, Target
from core.drivers import Argument, ArgumentKind, Declared

# Not exabgp-cli, which looks for the pipes by environment, and ends with 0 whatever it is told. The lock keeps two of
# ours from reading each other's answer; what an earlier client has left unread is read first, and thrown away.
SPEAK = """
import fcntl, os, select, sys, time
pipe, command = sys.argv[1:]
until = time.monotonic() + 4
try:
    answers = os.open(pipe + ".out", os.O_RDWR | os.O_NONBLOCK)
    commands = os.open(pipe + ".in", os.O_WRONLY | os.O_NONBLOCK)
    while True:
        try:
            fcntl.flock(commands, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > until:
                sys.exit(pipe + ".in is in use")
            time.sleep(0.01)
    while select.select([answers], [], [], 0.05)[0]:
        os.read(answers, 65536)
    os.write(commands, command.encode() + b"\\n")
    said = b""
    while True:
        left = until - time.monotonic()
        if left <= 0 or not select.select([answers], [], [], left)[0]:
            sys.exit("no answer within 4 s")
        said += os.read(answers, 65536)
        *lines, rest = said.decode(errors="replace").split("\\n")
        if rest == "" and lines[-1] in ("done", "error", "shutdown"):
            print("\\n".join(lines[:-1]))
            sys.exit(None if lines[-1] == "done" else lines[-1])
except OSError as error:
    sys.exit(str(error))
"""
ROUTES, SESSIONS = "show adj-rib out extensive", "show neighbor summary"
ESTABLISHED = "established"
_ROUTE = re.compile(r"^neighbor (?P<neighbor>\S+) .*?\bipv[46] unicast (?P<route>(?P<prefix>\S+) .*)$", re.MULTILINE)
_COMMUNITIES = re.compile(r" community (?:\[ (?P<several>[^]]*)\]|(?P<one>\S+))")
WELL_KNOWN = {
    "no-export": "65535:65281",
    "no-advertise": "65535:65282",
    "no-export-subconfed": "65535:65283",
    "no-peer": "65535:65284",
    "blackhole": "65535:666",
}
"""Communities that ExaBGP 4.2 lists by name (RFC 1997, RFC 3765, RFC 7999)."""


class ExabgpDriver:
    """Withdraws what is announced, or announces what is not; the route is put back as it was listed."""

    declared = Declared(
        {
            "pipe": Argument(ArgumentKind.PATH, "the path of ExaBGP's two FIFOs, without `.in` and `.out`"),
            "action": Argument(ArgumentKind.NAME, "what is done", ("withdraw", "announce")),
            "prefix": Argument(ArgumentKind.NETWORK, "the route"),
            "neighbor": Argument(ArgumentKind.ADDRESS, "at this neighbour only", optional=True),
            **ANNOUNCED,
        }
    )

    def commands(self, arguments: Arguments) -> Commands:
        """See `Driver.commands`. Without `neighbor`, each that has the route gets a command."""
        whom = f"neighbor {arguments.get('neighbor', '<each>')}"
        withdraw = f"{whom} withdraw route {arguments['prefix']}"
        announce = f"{whom} announce route {arguments['prefix']} <attributes of before>"
        inject, revert = withdraw, announce
        if arguments["action"] == "announce":
            inject, revert = f"{whom} announce route {_announcement(arguments)}", withdraw
        prove = (_told(arguments, look) for look in (ROUTES, SESSIONS))
        return Commands((_told(arguments, inject),), tuple(prove), (_told(arguments, revert),))

    def prior(self, target: Target, arguments: Arguments, term: Term) -> Prior | None:
        """See `Driver.prior`: neighbour -> route as it is announced to it ('' where it is not, of `announce`).

        None where a neighbour has several routes to the prefix, or, of `announce`, has one already.
        """
        del term
        routes, _ = _routes(target, arguments)
        if routes is None or any(len(each) > 1 for each in routes.values()):
            return None
        if arguments["action"] == "withdraw":
            return {"routes": {neighbor: each[0] for neighbor, each in routes.items()}} if routes else None
        sessions, _ = _sessions(target, arguments)
        return {"routes": dict.fromkeys(sessions, "")} if sessions and not routes else None

    def inject(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.inject`. A route that another has changed since is left as it is."""
        routes, seen = _routes(target, arguments)
        if routes is None:
            return Reply((str(arguments["pipe"]),), -1, "", seen)
        before = _of_before(prior)
        for neighbor, now in routes.items():
            if not _is_known(arguments, now, before.get(neighbor, "")):
                return Reply((str(arguments["pipe"]),), -1, "", f"{neighbor} has another route now: {'; '.join(now)}")
        to_do = [each for each in before if (each in routes) == (arguments["action"] == "withdraw")]
        return _do(target, arguments, [f"neighbor {each} {_injection(arguments)}" for each in to_do])

    def revert(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.revert`: to each neighbour the route of before, where no other one is announced to it."""
        routes, seen = _routes(target, arguments)
        if routes is None:
            return Reply((str(arguments["pipe"]),), -1, "", seen)
        commands = []
        for neighbor, before in _of_before(prior).items():
            now = routes.get(neighbor, [])
            if arguments["action"] == "withdraw" and not now:
                commands.append(f"neighbor {neighbor} announce route {before}")
            if arguments["action"] == "announce" and any(_is_ours(arguments, each) for each in now):
                commands.append(f"neighbor {neighbor} withdraw route {arguments['prefix']}")
        return _do(target, arguments, commands)

    def is_out(self, target: Target, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """See `Driver.is_out`: what the neighbours are to have, and for `announce` whether a session is up."""
        routes, seen = _routes(target, arguments)
        if routes is None:
            return None, seen
        before = _of_before(prior)
        seen = ", ".join(f"{each}: {'; '.join(routes.get(each, ['no route']))}" for each in before)
        if arguments["action"] == "withdraw":
            missing = [each not in routes for each in before]
            return (True if all(missing) else None if any(missing) else False), seen
        ours = [any(_is_ours(arguments, route) for route in routes.get(each, [])) for each in before]
        if not any(ours):
            return False, seen
        sessions, summary = _sessions(target, arguments)
        if sessions is None:
            return None, summary
        seen += "; " + ", ".join(f"session to {each}: {state}" for each, state in sessions.items())
        return (True if all(ours) and ESTABLISHED in sessions.values() else None), seen


def _of_before(prior: Prior) -> dict[str, str]:
    routes = prior["routes"]
    return {str(neighbor): str(route) for neighbor, route in routes.items()} if isinstance(routes, dict) else {}


def _announcement(arguments: Arguments) -> str:
    words = [str(arguments["prefix"]), "next-hop", str(arguments["next_hop"])]
    if "med" in arguments:
        words += ["med", str(arguments["med"])]
    if _communities(arguments):
        words += ["community", f"[ {' '.join(_communities(arguments))} ]"]
    return " ".join(words)


def _communities(arguments: Arguments) -> list[str]:
    communities = arguments.get("communities", ())
    return [str(each) for each in communities] if isinstance(communities, list | tuple) else []


def _injection(arguments: Arguments) -> str:
    if arguments["action"] == "withdraw":
        return f"withdraw route {arguments['prefix']}"
    return f"announce route {_announcement(arguments)}"


def _is_known(arguments: Arguments, now: list[str], before: str) -> bool:
    if arguments["action"] == "withdraw":
        return now == [before]
    return all(_is_ours(arguments, each) for each in now)


def _is_ours(arguments: Arguments, route: str) -> bool:
    """Whether a route as ExaBGP lists it is the one that `announce` announces."""
    hop, med = re.search(r" next-hop (\S+)", route), re.search(r" med (\S+)", route)
    listed = _COMMUNITIES.search(route)
    communities = ((listed["several"] or listed["one"]).split()) if listed else []
    return (
        (hop is not None and hop[1] == str(arguments["next_hop"]))
        and (med[1] if med else None) == (str(arguments["med"]) if "med" in arguments else None)
        and sorted(WELL_KNOWN.get(each, each) for each in communities) == sorted(_communities(arguments))
    )


def _speak(arguments: Arguments, command: str, speak: str = SPEAK) -> list[str]:
    return ["python3", "-IS", "-c", speak, str(arguments["pipe"]), command]


def _told(arguments: Arguments, command: str) -> tuple[str, ...]:
    return tuple(_speak(arguments, command, "<what speaks over the pipe>"))


def _under_its_name(reply: Reply) -> Reply:
    """Return what ExaBGP answered as an answer to its command, not to the program that spoke to it."""
    return Reply(reply.argv[-2:], reply.code, reply.out, reply.error)


def _do(target: Target, arguments: Arguments, commands: list[str]) -> Reply:
    """Give one command after the other; what went well stays done when a later one fails."""
    reply = Reply((str(arguments["pipe"]),), 0, "", "there is nothing to do")
    for command in commands:
        reply = _under_its_name(target.do(_speak(arguments, command)))
        if reply.code != 0:
            break
    return reply


def _routes(target: Target, arguments: Arguments) -> tuple[dict[str, list[str]] | None, str]:
    """Return neighbour -> routes to the prefix that it is to have, and what was read; None when it cannot be told."""
    reply = _under_its_name(target.look(_speak(arguments, ROUTES)))
    if reply.code != 0:
        return None, reply.words
    found: dict[str, list[str]] = {}
    for route in _ROUTE.finditer(reply.out):
        wanted = arguments.get("neighbor", route["neighbor"])
        if route["prefix"] == arguments["prefix"] and route["neighbor"] == wanted:
            found.setdefault(route["neighbor"], []).append(route["route"].strip())
    return found, reply.words


def _sessions(target: Target, arguments: Arguments) -> tuple[dict[str, str] | None, str]:
    """Return neighbour -> state of its session, of the neighbours that the fault is about."""
    reply = _under_its_name(target.look(_speak(arguments, SESSIONS)))
    if reply.code != 0:
        return None, reply.words
    rows = [line.split() for line in reply.out.splitlines()[1:]]
    found = {row[0]: row[3] for row in rows if len(row) > 3}
    wanted = arguments.get("neighbor")
    return {each: state for each, state in found.items() if wanted in (None, each)}, reply.words
