"""The driver `ace`: takes a VIP of a Cisco ACE out of service, or makes an FT group switch over to the peer.

Cisco ACE Administration Guide, "Forcing a Failover", and Command Reference, policy map class. The configuration that
runs is changed, on the active unit; it is not written to the start-up configuration.
"""

from __future__ import annotations

import re

from chaos.driver import NOTHING_TO_REVERT, Arguments, Commands, Prior, Term
from chaos.handing_over import hand_over
from chaos.transport import Reply, Target
from core.drivers import Argument, ArgumentKind, Declared

IN_SERVICE = "loadbalance vip inservice"
SHOW_GROUPS = "show ft group status"
ACTIVE, HOT, STANDBY = "FSM_FT_STATE_ACTIVE", "FSM_FT_STATE_STANDBY_HOT", "FSM_FT_STATE_STANDBY"
POLL_S = 0.5
_FIELD = re.compile(r"^\s*(FT Group|My State|Peer State)\s*:\s*(\S+)\s*$")
_OF_VIP = ("action", ("vip",))


class AceDriver:
    """Takes `class_map` in `policy_map` out of service, or has `ft_group` switch over.

    For the latter the login is in the Admin context, and the group does not preempt.
    """

    declared = Declared(
        {
            "action": Argument(ArgumentKind.NAME, "what is done", ("vip", "switchover")),
            "context": Argument(ArgumentKind.NAME, "the context that the VIP is in", optional=True, only_with=_OF_VIP),
            "policy_map": Argument(ArgumentKind.NAME, "the multi-match policy map of the VIP", only_with=_OF_VIP),
            "class_map": Argument(ArgumentKind.NAME, "the VIP's class in it", only_with=_OF_VIP),
            "ft_group": Argument(
                ArgumentKind.WHOLE, "the FT group", low=1, high=255, only_with=("action", ("switchover",))
            ),
        },
        ("cli",),
    )

    def commands(self, arguments: Arguments) -> Commands:
        """See `Driver.commands`: lines that are typed, in one conversation each."""
        if arguments["action"] == "switchover":
            return Commands((_switch(arguments),), ((SHOW_GROUPS,),), ())
        show = _show(arguments)
        return Commands((_set(arguments, f"no {IN_SERVICE}"),), (show,), (_set(arguments, IN_SERVICE),))

    def prior(self, target: Target, arguments: Arguments, term: Term) -> Prior | None:
        """See `Driver.prior`. None where the VIP is not in service; or the peer could not take the sessions over."""
        del term
        if arguments["action"] == "switchover":
            (mine, peer), _ = _states(target, arguments)
            return {} if (mine, peer) == (ACTIVE, HOT) else None
        return {} if _is_off(target, arguments)[0] is False else None

    def inject(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.inject`. The class is looked for first, since the device would make one that is missing."""
        del prior
        if arguments["action"] == "switchover":
            return _switch_over(target, arguments)
        out, seen = _is_off(target, arguments)
        if out is not False:
            return Reply((IN_SERVICE,), 0 if out else -1, "", seen)
        return target.do(_set(arguments, f"no {IN_SERVICE}"))

    def revert(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.revert`. A class that somebody has removed is not made anew."""
        del prior
        if arguments["action"] == "switchover":
            return NOTHING_TO_REVERT
        out, seen = _is_off(target, arguments)
        if out is not True:
            return Reply((IN_SERVICE,), -1 if out is None else 0, "", seen)
        return target.do(_set(arguments, IN_SERVICE))

    def is_out(self, target: Target, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """See `Driver.is_out`: whether the class is without the line, or the group's state."""
        del prior
        if arguments["action"] == "switchover":
            return _is_standby(target, arguments)
        return _is_off(target, arguments)


def _in_context(arguments: Arguments) -> tuple[str, ...]:
    return (f"changeto {arguments['context']}",) if "context" in arguments else ()


def _show(arguments: Arguments) -> tuple[str, ...]:
    return *_in_context(arguments), "show running-config policy-map"


def _set(arguments: Arguments, line: str) -> tuple[str, ...]:
    where = f"policy-map multi-match {arguments['policy_map']}", f"class {arguments['class_map']}"
    return *_in_context(arguments), "configure terminal", *where, line, "end"


def _is_off(target: Target, arguments: Arguments) -> tuple[bool | None, str]:
    """Read the class in the configuration: `policy-map`, below it `class`, below that what is done."""
    reply = target.look(_show(arguments))
    if reply.code != 0:
        return None, reply.words
    wanted = f"policy-map multi-match {arguments['policy_map']}", f"class {arguments['class_map']}"
    policy, name, found, inside = "", "", False, []
    for line in (each.strip() for each in reply.out.splitlines()):
        if line.startswith("policy-map "):
            policy, name = line, ""
        elif line.startswith("class "):
            name = line
        if (policy, name) == wanted:
            found = True
            inside.append(line)
    place = f"{arguments['policy_map']}, class {arguments['class_map']}"
    if not found:
        return None, f"{place}: there is none in the configuration"
    has = IN_SERVICE in inside
    return not has, f"{place}: {IN_SERVICE if has else 'not in service'}"


def _switch(arguments: Arguments) -> tuple[str, str]:
    # The device asks `(yes/no)? [no]`.
    return f"ft switchover {arguments['ft_group']}", "yes"


def _switch_over(target: Target, arguments: Arguments) -> Reply:
    return hand_over(target, _switch(arguments), ("ft switchover",), lambda: _is_standby(target, arguments), POLL_S)


def _is_standby(target: Target, arguments: Arguments) -> tuple[bool | None, str]:
    (mine, _), seen = _states(target, arguments)
    return (True if mine.startswith(STANDBY) else False if mine == ACTIVE else None), seen


def _states(target: Target, arguments: Arguments) -> tuple[tuple[str, str], str]:
    """Return the states of this unit and of its peer in the group, each '' where it is not told; and what was seen."""
    reply = target.look((SHOW_GROUPS,))
    states = {"My State": "", "Peer State": ""}
    if reply.code != 0:
        return ("", ""), reply.words
    group = ""
    for line in reply.out.splitlines():
        field = _FIELD.match(line)
        if field and field[1] == "FT Group":
            group = field[2]
        elif field and group == str(arguments["ft_group"]):
            states[field[1]] = field[2]
    mine, peer = states["My State"], states["Peer State"]
    return (mine, peer), f"FT group {arguments['ft_group']}: {mine or 'unknown'}, peer {peer or 'unknown'}"
