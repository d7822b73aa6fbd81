"""Knows which fault drivers there are and which arguments each takes, as data: the loader and chaos/ read one table."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


class ArgumentKind(enum.StrEnum):
    """How a driver's argument is written."""

    NAME = "name"
    PATH = "absolute path"
    COMMAND = "command"  # a list: program (absolute path), then its arguments


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: every one is required; `choices` empty means any value of the kind."""

    kind: ArgumentKind
    about: str
    choices: tuple[str, ...] = ()


DRIVERS: Mapping[str, Mapping[str, Argument]] = MappingProxyType(
    {
        "link": MappingProxyType(
            {"interface": Argument(ArgumentKind.NAME, "the interface of the target that is set down")}
        ),
        "process": MappingProxyType(
            {
                "name": Argument(ArgumentKind.NAME, "the process's name, so that a reused pid is not killed"),
                "pid_file": Argument(ArgumentKind.PATH, "the file that holds its pid"),
                "start": Argument(ArgumentKind.COMMAND, "the command that starts it again"),
            }
        ),
        "bird": MappingProxyType(
            {
                "socket": Argument(ArgumentKind.PATH, "BIRD's control socket"),
                "protocol": Argument(ArgumentKind.NAME, "the protocol that the action is done to"),
                "action": Argument(ArgumentKind.NAME, "what is done; reverted by `enable`", choices=("disable",)),
            }
        ),
    }
)
