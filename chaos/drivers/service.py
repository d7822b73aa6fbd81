"""The driver `service`: stops, kills or freezes a unit of systemd, and starts or thaws it again.

systemctl(1) of systemd 246 or newer, for `freeze`. That it was this run that did it is noted at the target, in a file
of /run: a unit that somebody else stops is theirs to start.
"""

from __future__ import annotations

from chaos.driver import Arguments, Commands, Prior, Term
from chaos.transport import Reply, Target
from core.drivers import Argument, ArgumentKind, Declared

NOTE = "/run/vipchaos-fault-"
PROPERTIES = ("LoadState", "ActiveState", "SubState", "FreezerState", "InvocationID", "UnitFileState")


class ServiceDriver:
    """Whether the unit is enabled is neither asked nor changed.

    Killed are all processes of the unit; that it is stopped then keeps `Restart=` from bringing it back.
    """

    declared = Declared(
        {
            "action": Argument(ArgumentKind.NAME, "what is done to the unit", ("stop", "kill", "freeze")),
            "unit": Argument(ArgumentKind.OBJECT, "the unit, with its suffix, such as bird.service"),
        }
    )

    def commands(self, arguments: Arguments) -> Commands:
        """See `Driver.commands`."""
        note = f"{NOTE}<LEASE>"
        revert = (_systemctl("thaw" if _freezes(arguments) else "start", arguments), ("rm", "-f", note))
        return Commands((("touch", note), *_inject(arguments)), (_show(arguments), ("test", "-e", note)), revert)

    def prior(self, target: Target, arguments: Arguments, term: Term) -> Prior | None:
        """See `Driver.prior`: which run of the unit it is. None where the unit is not active, or frozen."""
        state = _state(target, arguments)
        prior = {"note": NOTE + term.name, "invocation": state.get("InvocationID", "")}
        fit = _runs(state) and bool(prior["invocation"]) and _noted(target, prior) is False
        return prior if fit else None

    def inject(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.inject`. What another has stopped, frozen or started anew since is not touched."""
        state, noted = _state(target, arguments), _noted(target, prior)
        if noted and not _runs(state):
            return Reply(("systemctl",), 0, "", f"done already: {_words(state)}")
        if noted is None or not _runs(state) or state["InvocationID"] != prior["invocation"]:
            return Reply(("systemctl",), -1, "", f"{arguments['unit']} is not as it was: {_words(state)}")
        reply = target.do(["touch", str(prior["note"])])
        for command in _inject(arguments):
            if reply.code != 0:
                break
            reply = target.do(command)
        return reply

    def revert(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.revert`: only what this run has stopped is started, and only what it has frozen is thawed."""
        noted = _noted(target, prior)
        if noted is None:
            return Reply(("systemctl",), -1, "", f"whether {prior['note']} is there cannot be told")
        if not noted:
            return Reply(("systemctl",), 0, "", f"{arguments['unit']} was not stopped by this run")
        state = _state(target, arguments)
        if "ActiveState" not in state:
            return Reply(("systemctl",), -1, "", _words(state))
        if _is_of_another(arguments, state, prior):
            return Reply(("systemctl",), 0, "", f"started and stopped by another since: {_words(state)}")
        # To start what runs, or to thaw what is not frozen, does nothing.
        reply = target.do(_systemctl("thaw" if _freezes(arguments) else "start", arguments))
        if reply.code != 0 or _is_out(arguments, _state(target, arguments)) is not False:
            return reply
        removed = target.do(("rm", "-f", str(prior["note"])))
        return reply if removed.code == 0 else removed

    def is_out(self, target: Target, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """See `Driver.is_out`: whether the unit is inactive or failed, or frozen, by this run."""
        state, noted = _state(target, arguments), _noted(target, prior)
        seen = f"{arguments['unit']}: {_words(state)}"
        if noted is None or "ActiveState" not in state:
            return None, seen
        if not noted or _is_of_another(arguments, state, prior):
            return False, f"{seen}, not by this run"
        return _is_out(arguments, state), seen


def _freezes(arguments: Arguments) -> bool:
    return arguments["action"] == "freeze"


def _systemctl(verb: str, arguments: Arguments) -> tuple[str, ...]:
    return "systemctl", "--no-ask-password", verb, str(arguments["unit"])


def _inject(arguments: Arguments) -> tuple[tuple[str, ...], ...]:
    match arguments["action"]:
        case "freeze":
            return (_systemctl("freeze", arguments),)
        case "kill":
            kill = ("systemctl", "--no-ask-password", "kill", "--signal=KILL", str(arguments["unit"]))
            return kill, _systemctl("stop", arguments)
        case _:
            return (_systemctl("stop", arguments),)


def _show(arguments: Arguments) -> tuple[str, ...]:
    return "systemctl", "show", f"--property={','.join(PROPERTIES)}", str(arguments["unit"])


def _state(target: Target, arguments: Arguments) -> dict[str, str]:
    """Return the unit's properties (lines `NAME=VALUE`), or none where they cannot be asked."""
    reply = target.look(_show(arguments))
    if reply.code != 0:
        return {"error": reply.words}
    pairs = (line.partition("=") for line in reply.out.splitlines())
    found = {name: value for name, _, value in pairs}
    return {name: found[name] for name in PROPERTIES if name in found}


def _words(state: dict[str, str]) -> str:
    return state.get("error") or ", ".join(f"{name} {value}" for name, value in state.items() if name in PROPERTIES[:4])


def _runs(state: dict[str, str]) -> bool:
    return state.get("ActiveState") in ("active", "reloading") and state.get("FreezerState", "running") == "running"


def _is_of_another(arguments: Arguments, state: dict[str, str], prior: Prior) -> bool:
    """Tell whether somebody has started the unit since, and stopped it again: that is not ours to undo.

    One that has failed is ours still: it may be our own start that did not go well. A unit that nothing refers to is
    forgotten when it stops, and its run with it. After a kill systemd may have been quicker with a start than we with
    the stop.
    """
    stopped = arguments["action"] != "kill" and state.get("ActiveState") == "inactive"
    return stopped and state.get("InvocationID", "") not in ("", prior["invocation"])


def _is_out(arguments: Arguments, state: dict[str, str]) -> bool | None:
    if _freezes(arguments):
        frozen = {"frozen": True, "running": False}.get(state.get("FreezerState", ""))
        return frozen if state.get("ActiveState") == "active" else False
    return {"inactive": True, "failed": True, "active": False, "reloading": False}.get(state.get("ActiveState", ""))


def _noted(target: Target, prior: Prior) -> bool | None:
    return {0: True, 1: False}.get(target.look(["test", "-e", str(prior["note"])]).code)
