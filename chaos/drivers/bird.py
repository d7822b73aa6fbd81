"""The driver `bird`: disables a protocol of a BIRD router, or changes the metric that it announces a route with.

BIRD 2.0.12 has no command for a metric. What it has: a constant that the configuration takes from a file of its own
(`include`), and `configure`, which runs changed filters anew and restarts nothing. The proof is the metric announced.
"""

from __future__ import annotations

import re

from chaos.driver import Arguments, Commands, Prior, Term
from chaos.transport import Reply, Target
from core.drivers import Argument, ArgumentKind, Declared

_DEFINITION = re.compile(r"define ([A-Za-z_][A-Za-z0-9_]*) = ([0-9]+);\n?\Z")
_CHECKED = re.compile(r"^Reading configuration from (\S+)\nConfiguration OK$", re.MULTILINE)
_CONFIGURED = re.compile(r"^Last reconfiguration on (.+)$", re.MULTILINE)
_OF_METRIC = ("action", ("metric",))


class BirdDriver:
    """Disables `protocol`, or writes `metric` into `file` and looks at what `protocol` announces of `prefix`."""

    declared = Declared(
        {
            "socket": Argument(ArgumentKind.PATH, "BIRD's control socket"),
            "protocol": Argument(ArgumentKind.NAME, "the protocol that is disabled, or that announces the metric"),
            "action": Argument(ArgumentKind.NAME, "what is done", choices=("disable", "metric")),
            "file": Argument(
                ArgumentKind.PATH, "the included file that defines a constant, alone in it", only_with=_OF_METRIC
            ),
            "metric": Argument(
                ArgumentKind.WHOLE, "what the constant is set to", high=16_777_214, only_with=_OF_METRIC
            ),
            "prefix": Argument(
                ArgumentKind.NETWORK, "the route whose announced metric must change", only_with=_OF_METRIC
            ),
        }
    )

    def commands(self, arguments: Arguments) -> Commands:
        """See `Driver.commands`."""
        if arguments["action"] == "disable":
            return Commands((_birdc(arguments, "disable"),), (_show(arguments),), (_birdc(arguments, "enable"),))
        configure = _birdc(arguments, "configure")
        return Commands(
            (_writing(arguments, "<constant>", _ours(arguments)), configure),
            (("cat", str(arguments["file"])), _show(arguments), ("birdc", "<what shows the route as announced>")),
            (_writing(arguments, "<constant>", "<value of before>"), configure),
        )

    def prior(self, target: Target, arguments: Arguments, term: Term) -> Prior | None:
        """See `Driver.prior`. Of a metric: the constant and its value in the file, and the metric announced.

        None, too, where `configure` would do more than what is ours: the configuration has been written since it was
        read last.
        """
        del term
        if arguments["action"] == "disable":
            return {} if _state(target, arguments)[0] == "up" else None
        definition, announced = _definition(target, arguments), _announced(target, arguments)
        if definition is None or definition[1] == _ours(arguments) or not announced:
            return None
        if _why_not_configured(target, arguments):
            return None
        return {"constant": definition[0], "value": definition[1], "announced": announced}

    def inject(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.inject`. A value that another has written since is not overwritten."""
        if arguments["action"] == "disable":
            return target.do(_birdc(arguments, "disable"))
        definition = _definition(target, arguments)
        if definition == (prior["constant"], prior["value"]):
            why_not = _why_not_configured(target, arguments)
            if why_not:
                return Reply(("birdc", "configure"), -1, "", why_not)
            reply = target.do(_writing(arguments, str(prior["constant"]), _ours(arguments)))
            if reply.code != 0:
                return reply
        elif definition != (prior["constant"], _ours(arguments)):
            return Reply(("sed",), -1, "", f"{arguments['file']} has {definition} now, not {prior['value']}")
        return target.do(_birdc(arguments, "configure"))

    def revert(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.revert`: the former value, unless another has written one since."""
        if arguments["action"] == "disable":
            return target.do(_birdc(arguments, "enable"))
        definition = _definition(target, arguments)
        if definition == (prior["constant"], _ours(arguments)):
            reply = target.do(_writing(arguments, str(prior["constant"]), str(prior["value"])))
            if reply.code != 0:
                return reply
        elif definition != (prior["constant"], prior["value"]):
            return Reply(("sed",), 0, "", f"{arguments['file']} has {definition}, which is not ours")
        return target.do(_birdc(arguments, "configure"))

    def is_out(self, target: Target, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """See `Driver.is_out`: the protocol's state in `show protocols`, or the metric as it is announced.

        OSPF announces a change within 5 s of another no sooner than 5 s after it (RFC 2328, MinLSInterval): until then
        it cannot be told.
        """
        if arguments["action"] == "disable":
            state, seen = _state(target, arguments)
            # `start`: enabled, and its session is not up yet. `stop` and `flush`: on its way down.
            return {"up": False, "start": False, "down": True}.get(state), seen
        definition, announced = _definition(target, arguments), _announced(target, arguments)
        seen = f"{arguments['file']} has {definition and definition[1]}, announced is {announced or 'nothing'}"
        if definition is None or announced is None:
            return None, seen
        if definition == (prior["constant"], _ours(arguments)):
            return (True if announced not in ("", prior["announced"]) else None), seen
        if definition == (prior["constant"], prior["value"]):
            return (False if announced in ("", prior["announced"]) else None), seen
        return False, seen


def _birdc(arguments: Arguments, *words: str) -> tuple[str, ...]:
    protocol = (str(arguments["protocol"]),) if words in (("enable",), ("disable",)) else ()
    return "birdc", "-s", str(arguments["socket"]), *words, *protocol


def _show(arguments: Arguments) -> tuple[str, ...]:
    return _birdc(arguments, "show", "protocols", str(arguments["protocol"]))


def _columns(target: Target, arguments: Arguments) -> tuple[list[str], str]:
    """Return the protocol's columns (name, kind, table, state, ...) in `show protocols`, none when it is not there."""
    reply = target.look(_show(arguments))
    for line in reply.out.splitlines():
        columns = line.split()
        if columns[:1] == [arguments["protocol"]] and len(columns) > 3:
            return columns, line
    return [], reply.words


def _state(target: Target, arguments: Arguments) -> tuple[str, str]:
    columns, seen = _columns(target, arguments)
    return (columns[3] if columns else ""), seen


def _ours(arguments: Arguments) -> str:
    return str(arguments["metric"])


def _definition(target: Target, arguments: Arguments) -> tuple[str, str] | None:
    """Return the constant and its value in the file, or None when there is anything else in it."""
    found = _DEFINITION.match(target.look(["cat", str(arguments["file"])]).out)
    return None if found is None else (found[1], found[2])


def _writing(arguments: Arguments, constant: str, value: str) -> tuple[str, ...]:
    """Return what replaces the file by one with another value: whole, or not at all."""
    return "sed", "-i", "--follow-symlinks", f"1s/.*/define {constant} = {value};/", str(arguments["file"])


def _why_not_configured(target: Target, arguments: Arguments) -> str:
    """Return why `configure` would fail, or would do what is not ours; '' where it would not."""
    checked = target.look(_birdc(arguments, "configure", "check"))
    read = _CONFIGURED.search(target.look(_birdc(arguments, "show", "status")).out)
    main = _CHECKED.search(checked.out)
    if checked.code != 0 or main is None or read is None:
        *_, last = ["", *checked.out.splitlines()]
        return f"BIRD does not take its configuration: {last or checked.error}"
    configured = target.look(["date", "-d", read[1], "+%s.%N"]).out.strip()
    for file in (main[1], str(arguments["file"])):
        written = target.look(["date", "-r", file, "+%s.%N"]).out.strip()
        try:
            newer = float(written) > float(configured)
        except ValueError:
            return f"it cannot be told whether {file} is as BIRD read it at {read[1]}"
        if newer:
            return f"{file} has been written since BIRD read it: `birdc configure` first"
    return ""


def _announced(target: Target, arguments: Arguments) -> str | None:
    """Return the route's metric as the protocol announces it: '' when it does not, None when it cannot be told."""
    columns, _ = _columns(target, arguments)
    prefix, protocol = str(arguments["prefix"]), str(arguments["protocol"])
    match columns[1:2]:
        case ["OSPF"]:
            return _in_link_state(target, arguments, prefix)
        case ["BGP"]:
            reply = target.look(_birdc(arguments, "show", "route", prefix, "all", "export", protocol))
            lines = [line.strip() for line in reply.out.splitlines() if line.strip().startswith("BGP.")]
            missing = reply.code == 0 or "Network not found" in reply.out
            return "; ".join(lines) if lines or missing else None
        case _:
            return None


def _in_link_state(target: Target, arguments: Arguments, prefix: str) -> str | None:
    """Return what the router's own external LSA says of `prefix`, as `show ospf state` has it: `metric 100`.

    A section for each router begins with `router ID`; what it announces is indented below it.
    """
    status = target.look(_birdc(arguments, "show", "status"))
    own = re.search(r"^Router ID is (\S+)$", status.out, re.MULTILINE)
    reply = target.look(_birdc(arguments, "show", "ospf", "state", str(arguments["protocol"])))
    if reply.code != 0 or own is None:
        return None
    router = ""
    for line in reply.out.splitlines():
        words = line.split()
        if words[:1] == ["router"] and line.startswith("\trouter"):
            router = words[1]
        elif words[:2] == ["external", prefix] and router == own[1]:
            return " ".join(words[2:])
    return ""
