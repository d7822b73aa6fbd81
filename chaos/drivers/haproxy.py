"""The driver `haproxy`: sets servers and frontends out of service, and shuts sessions, over the runtime API.

HAProxy Management Guide 2.6, section 9.3 "Unix Socket commands". A command that did something answers with nothing.
"""

from __future__ import annotations

import csv
import re

from chaos.driver import NOTHING_TO_REVERT, Arguments, Commands, Prior, Term
from chaos.transport import Reply, Target
from core.drivers import Argument, ArgumentKind, Declared

# Python is on more machines than socat or an nc that knows UNIX sockets.
SPEAK = """
import socket, sys
try:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(4)
        line.connect(sys.argv[1])
        line.sendall(sys.argv[2].encode() + b"\\n")
        while said := line.recv(65536):
            sys.stdout.buffer.write(said)
except OSError as error:
    sys.exit(str(error))
"""
FORCED = {"maint": 0x01, "drain": 0x08}
"""Bits of `srv_admin_state` that an operator sets."""
FOLLOWED = 100
"""So many of the sessions that are shut are looked for afterwards."""
_SESSION = re.compile(r"^\S+ proto=\S+ src=(?P<client>\S+) .*\bbe=(?P<backend>\S+) srv=(?P<server>\S+) ", re.MULTILINE)
_OF_SERVER = ("action", ("maint", "drain", "shut-sessions"))


class HaproxyDriver:
    """What an operator has set before is not touched; sessions that are shut are gone."""

    declared = Declared(
        {
            "socket": Argument(ArgumentKind.PATH, "the stats socket, of level admin"),
            "action": Argument(
                ArgumentKind.NAME, "what is done", ("maint", "drain", "shut-sessions", "disable-frontend")
            ),
            "backend": Argument(ArgumentKind.NAME, "the server's backend", only_with=_OF_SERVER),
            "server": Argument(ArgumentKind.NAME, "the server", only_with=_OF_SERVER),
            "frontend": Argument(ArgumentKind.NAME, "the frontend", only_with=("action", ("disable-frontend",))),
        }
    )

    def commands(self, arguments: Arguments) -> Commands:
        """See `Driver.commands`."""
        inject, prove, revert = (
            (tuple(_speak(arguments, command, "<what speaks over the socket>")),) if command else ()
            for command in _commands(arguments)
        )
        return Commands(inject, prove, revert)

    def prior(self, target: Target, arguments: Arguments, term: Term) -> Prior | None:
        """See `Driver.prior`: of `shut-sessions` the clients of some of the sessions that there are."""
        del term
        if arguments["action"] == "shut-sessions":
            clients = _clients(target, arguments)
            return {"clients": clients[:FOLLOWED]} if clients else None
        if arguments["action"] == "disable-frontend":
            return {} if _frontend_is_out(target, arguments)[0] is False else None
        # `ready` would end another's drain as well as our own.
        admin, _ = _admin_state(target, arguments)
        return {} if admin is not None and not admin & (FORCED["maint"] | FORCED["drain"]) else None

    def inject(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.inject`."""
        del prior
        return _do(target, arguments, _commands(arguments)[0])

    def revert(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.revert`. Sessions that were shut stay so."""
        del prior
        command = _commands(arguments)[2]
        return _do(target, arguments, command) if command else NOTHING_TO_REVERT

    def is_out(self, target: Target, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """See `Driver.is_out`: the server's or the frontend's state, or whether the sessions of before are left."""
        match arguments["action"]:
            case "disable-frontend":
                return _frontend_is_out(target, arguments)
            case "shut-sessions":
                return _sessions_are_out(target, arguments, prior)
            case _:
                return _server_is_out(target, arguments)


def _commands(arguments: Arguments) -> tuple[str, str, str]:
    """Return what injects, what proves and what reverts ('': nothing does)."""
    match arguments["action"]:
        case "disable-frontend":
            frontend = arguments["frontend"]
            return f"disable frontend {frontend}", "show stat", f"enable frontend {frontend}"
        case "shut-sessions":
            return f"shutdown sessions server {_server(arguments)}", "show sess", ""
        case state:
            prove = f"show servers state {arguments['backend']}"
            return (
                f"set server {_server(arguments)} state {state}",
                prove,
                f"set server {_server(arguments)} state ready",
            )


def _server(arguments: Arguments) -> str:
    return f"{arguments['backend']}/{arguments['server']}"


def _ask(target: Target, arguments: Arguments, command: str) -> Reply:
    return _under_its_name(target.look(_speak(arguments, command)))


def _speak(arguments: Arguments, command: str, speak: str = SPEAK) -> list[str]:
    return ["python3", "-IS", "-c", speak, str(arguments["socket"]), command]


def _under_its_name(reply: Reply) -> Reply:
    """Return what HAProxy answered as an answer to its command, not to the program that spoke to it."""
    return Reply(reply.argv[-2:], reply.code, reply.out, reply.error)


def _do(target: Target, arguments: Arguments, command: str) -> Reply:
    reply = _under_its_name(target.do(_speak(arguments, command)))
    refused = reply.code == 0 and reply.out.strip()
    return Reply(reply.argv, 1, reply.out, reply.error) if refused else reply


def _server_is_out(target: Target, arguments: Arguments) -> tuple[bool | None, str]:
    admin, seen = _admin_state(target, arguments)
    return None if admin is None else bool(admin & FORCED[str(arguments["action"])]), seen


def _admin_state(target: Target, arguments: Arguments) -> tuple[int | None, str]:
    """Read `show servers state`: a version, `# ` and the columns' names, then a line for each server."""
    reply = _ask(target, arguments, f"show servers state {arguments['backend']}")
    for row in csv.DictReader(reply.out.replace("# ", "", 1).splitlines()[1:], delimiter=" "):
        if row.get("srv_name") == arguments["server"] and (row.get("srv_admin_state") or "").isdigit():
            admin = int(row["srv_admin_state"])
            return admin, f"{_server(arguments)}: srv_admin_state {admin:#x}, srv_op_state {row.get('srv_op_state')}"
    return None, reply.words


def _frontend_is_out(target: Target, arguments: Arguments) -> tuple[bool | None, str]:
    reply = _ask(target, arguments, "show stat")
    for row in csv.DictReader(reply.out.removeprefix("# ").splitlines()):
        if row.get("pxname") == arguments["frontend"] and row.get("svname") == "FRONTEND":
            return row.get("status") != "OPEN", f"frontend {arguments['frontend']}: {row.get('status')}"
    return None, reply.words


def _sessions_are_out(target: Target, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
    before, clients = prior["clients"], _clients(target, arguments)
    if clients is None or not isinstance(before, list):
        return None, f"the sessions of {_server(arguments)} cannot be listed"
    left = len(set(before) & set(clients))
    return (
        left == 0,
        f"{_server(arguments)}: {left} of {len(before)} sessions of before are left, {len(clients)} in all",
    )


def _clients(target: Target, arguments: Arguments) -> list[str] | None:
    """Return the clients (address and port) of the server's sessions, or None when they cannot be listed."""
    reply = _ask(target, arguments, "show sess")
    if reply.code != 0:
        return None
    wanted = (arguments["backend"], arguments["server"])
    return [found["client"] for found in _SESSION.finditer(reply.out) if (found["backend"], found["server"]) == wanted]
