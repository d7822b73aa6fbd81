"""The fault drivers, each held to its word: what it does to a target must be what its `commands` told.

`DRIVERS` is to be used in tests instead of `chaos.drivers.DRIVERS`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chaos import drivers
from chaos.driver import Arguments, Commands, Driver, Prior, Term
from chaos.transport import Reply, Target
from core.drivers import Declared

_PLACEHOLDER = re.compile(r"<[A-Za-z][^<>]*>")
_WORD = "[^\0]*"


def as_planned(told: Sequence[Sequence[str]], argv: Sequence[str]) -> bool:
    """Whether `argv` is one of `told`, where `<...>` alone is one or more words, and inside a word any text."""
    done = "\0".join(argv)
    return any(re.fullmatch("\0".join(map(_pattern, command)), done, re.DOTALL) for command in told)


def _pattern(word: str) -> str:
    if _PLACEHOLDER.fullmatch(word):
        return f"{_WORD}(?:\0{_WORD})*"
    return _WORD.join(map(re.escape, _PLACEHOLDER.split(word)))


@dataclass
class Recording:
    """A target that keeps what is done to it."""

    target: Target
    done: list[tuple[str, ...]] = field(default_factory=list)

    def look(self, argv: Sequence[str]) -> Reply:
        return self.target.look(argv)

    def prepare(self, argv: Sequence[str]) -> Reply:
        self.done.append(tuple(argv))
        return self.target.prepare(argv)

    def do(self, argv: Sequence[str]) -> Reply:
        self.done.append(tuple(argv))
        return self.target.do(argv)


@dataclass(frozen=True)
class HeldToItsWord:
    """A driver that fails the test when it does what it did not tell, or changes anything where it should only look."""

    driver: Driver

    @property
    def declared(self) -> Declared:
        return self.driver.declared

    def commands(self, arguments: Arguments) -> Commands:
        return self.driver.commands(arguments)

    def prior(self, target: Target, arguments: Arguments, term: Term) -> Prior | None:
        recording = Recording(target)
        prior = self.driver.prior(recording, arguments, term)
        assert recording.done == []
        return prior

    def inject(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        recording, told = Recording(target), self.driver.commands(arguments).inject
        whole = len(told) > 1 and self.driver.is_out(target, arguments, prior)[0] is False
        reply = self.driver.inject(recording, arguments, prior)
        _check(told, recording.done, whole=whole and reply.code == 0)
        return reply

    def revert(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        recording, told = Recording(target), self.driver.commands(arguments).revert
        whole = len(told) > 1 and self.driver.is_out(target, arguments, prior)[0] is True
        reply = self.driver.revert(recording, arguments, prior)
        _check(told, recording.done, whole=whole and reply.code == 0)
        return reply

    def is_out(self, target: Target, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        recording = Recording(target)
        seen = self.driver.is_out(recording, arguments, prior)
        assert recording.done == []
        return seen


def _check(told: Sequence[Sequence[str]], done: Sequence[Sequence[str]], *, whole: bool) -> None:
    """What is done is told, in that order; a command with `<each>` may be done several times.

    What a step finds done already it need not do again, so all of it (`whole`) is asked for only where nothing is.
    """
    left, used = list(told), set()
    for argv in done:
        while left and not as_planned(left[:1], argv):
            left.pop(0)
        assert left, f"did {argv}, told {told}"
        used.add(tuple(left[0]))
    assert not whole or used == set(map(tuple, told)), f"did {done}, told {told}"


DRIVERS: Mapping[str, Driver] = {name: HeldToItsWord(driver) for name, driver in drivers.DRIVERS.items()}
