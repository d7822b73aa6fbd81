"""Knows the product's own faults: each error class carries the exit code that the command line ends with.

A failure of the thing measured is a result and never one of these.
"""

from typing import ClassVar


class VipchaosError(Exception):
    """Base of every fault of our own; the message is written for the operator, whole, with no traceback needed."""

    exit_code: ClassVar[int] = 1


class CallError(VipchaosError):
    """The command was called in a way that cannot work: an unknown run, a missing argument."""

    exit_code: ClassVar[int] = 2


class BlockedError(VipchaosError):
    """A guard rail refused to start; nothing was touched."""

    exit_code: ClassVar[int] = 3


class ConfigError(VipchaosError):
    """A YAML file is refused. Lines of the message: `file:line: key path: what is wrong, what is allowed`."""

    exit_code: ClassVar[int] = 4


class PrivilegeError(VipchaosError):
    """A privilege or a tool is missing; the message says which and what to do about it."""

    exit_code: ClassVar[int] = 6
