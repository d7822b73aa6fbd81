"""Reads and checks the arguments of one fault against those that its driver declares."""

from __future__ import annotations

import re
import typing

from core.drivers import Argument, ArgumentKind
from core.reader import PATH, Reader

Value = str | int | float | bool | tuple[str, ...]
COMMUNITY = re.compile(r"(0|[1-9][0-9]{0,4}):(0|[1-9][0-9]{0,4})\Z")
OBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@%-]{0,126}\Z")
_OBJECT_ALLOWED = "a name of letters, digits and . _ - : @ % (at most 127)"


def read_arguments(fault: Reader, wanted: typing.Mapping[str, Argument]) -> dict[str, Value]:
    """Return the arguments, defaults included; what is wrong is among the problems."""
    section = fault.section("arguments", f"a mapping with {', '.join(wanted)}")
    found: dict[str, Value] = {}
    if section is None:
        return found
    section.only(*wanted)
    for name, argument in wanted.items():
        if not _has_meaning(section, name, wanted, found):
            continue
        if not section.has(name) and (argument.optional or argument.default is not None):
            value: Value | None = argument.default
        else:
            value = _value(section, name, argument)
        if value is not None:
            found[name] = value
    _check_versions(section, wanted, found)
    return found


def _has_meaning(
    section: Reader, name: str, wanted: typing.Mapping[str, Argument], found: typing.Mapping[str, Value]
) -> bool:
    only_with = wanted[name].only_with
    if only_with is None:
        return True
    other, values = only_with
    if found.get(other) in values:
        return True
    # Where the other one is a problem itself, nothing can be said of this one.
    if section.has(name) and (other in found or (wanted[other].optional and not section.has(other))):
        section.problem(section.line_of(name), name, "has no meaning here", f"with {other} {' or '.join(values)}")
    return False


def _value(section: Reader, name: str, argument: Argument) -> Value | None:
    if argument.choices:
        return section.choice(name, argument.choices, "such choice")
    match argument.kind:
        case ArgumentKind.COMMAND:
            return _command(section, name)
        case ArgumentKind.PATH:
            return section.path_of(name)
        case ArgumentKind.WHOLE:
            return section.whole(name, argument.low, argument.high)
        case ArgumentKind.ADDRESS:
            address = section.address(name)
            return None if address is None else str(address)
        case ArgumentKind.NETWORK:
            network = section.network(name)
            return None if network is None else str(network)
        case ArgumentKind.COMMUNITIES:
            return _communities(section, name)
        case ArgumentKind.NAME:
            return section.name(name)
        case ArgumentKind.OBJECT:
            return _object(section, name)


def _command(section: Reader, name: str) -> tuple[str, ...] | None:
    words = section.words(name, "a list: an absolute path, then its arguments")
    if not words:
        return None
    if not PATH.match(words[0][1]):
        section.problem(words[0][0], name, f"runs {words[0][1]}", "an absolute path first")
    return tuple(word for _, word in words)


def _communities(section: Reader, name: str) -> tuple[str, ...] | None:
    """Return a list of communities (RFC 1997), each written as two numbers of 16 bits."""
    allowed = 'a list of communities, such as "65001:80"'
    words = section.names(name, allowed)
    for line, word in words:
        if not COMMUNITY.match(word) or max(int(half) for half in word.split(":")) > 65535:
            section.problem(line, name, f"is {word!r}", allowed)
            return None
    return tuple(word for _, word in words) or None


def _object(section: Reader, name: str) -> str | None:
    value = section.text(name, _OBJECT_ALLOWED)
    if value is not None and not OBJECT.match(value):
        section.problem(section.line_of(name), name, f"is {value!r}", _OBJECT_ALLOWED)
        return None
    return value


def _check_versions(section: Reader, wanted: typing.Mapping[str, Argument], found: typing.Mapping[str, Value]) -> None:
    """Note networks of both IP versions in one fault: no packet has both."""
    networks = [name for name in found if wanted[name].kind is ArgumentKind.NETWORK]
    if len({":" in str(found[name]) for name in networks}) > 1:
        last = networks[-1]
        section.problem(section.line_of(last), last, f"is {found[last]}", f"the IP version of {networks[0]}")
