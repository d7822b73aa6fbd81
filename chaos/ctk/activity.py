"""What makes a function an activity of Chaos Toolkit: its arguments checked, its errors in that tool's words.

The only file that imports chaoslib, and only as an activity is called.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from core.errors import CallError, VipchaosError

P = ParamSpec("P")
R = TypeVar("R")

LEAVE = 20
"""What chaoslib raises SystemExit with when it is told to end in order (chaoslib/exit.py)."""


class ActivityError(VipchaosError):
    """An activity could not do what it is for; the message ends with a code in brackets where there is one."""


def activity(function: Callable[P, R]) -> Callable[P, R]:
    """Make `function` an activity: what it is given is held against its annotations, and errors are ActivityFailed.

    SIGTERM in an activity of Python's is an exception there, which chaoslib takes for a failed activity, and then
    goes on with the next. Here it ends the run: after `function` has cleaned up, as SIGUSR1 would.
    """

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        from chaoslib.exceptions import ActivityFailed, InterruptExecution  # noqa: PLC0415  it is no dependency

        try:
            _check(function, inspect.signature(function).bind(*args, **kwargs))
            return function(*args, **kwargs)
        except InterruptExecution as told:
            raise SystemExit(LEAVE) from told
        except VipchaosError as error:
            raise ActivityFailed(str(error)) from error
        except OSError as error:
            raise ActivityFailed(f"{error.filename or function.__name__}: {error.strerror or error}") from error

    return called


def _check(function: Callable[..., object], bound: inspect.BoundArguments) -> None:
    """Refuse a value that is not of its parameter's type. Raises CallError."""
    for name, value in bound.arguments.items():
        wanted = bound.signature.parameters[name].annotation
        words = _misfit(wanted, value)
        if words:
            raise CallError(f"{function.__name__}: {name} is {value!r}, allowed: {words}")


def _misfit(wanted: object, value: object) -> str:
    """Return what is allowed, in words, where `value` is not of the type `wanted`; otherwise ''."""
    if wanted is str:
        return "" if isinstance(value, str) and value else "text that is not empty"
    if wanted is float:
        return "" if isinstance(value, int | float) and not isinstance(value, bool) else "a number"
    if typing.get_origin(wanted) is list:
        return "" if isinstance(value, list) and all(isinstance(each, str) for each in value) else "a list of text"
    return "" if isinstance(value, dict) else "a mapping"
