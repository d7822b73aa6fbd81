"""Reading values out of the YAML tree: each call takes one key, checks it, and notes a problem or gives the value."""

from __future__ import annotations

import difflib
import ipaddress
import math
import re
from collections.abc import Iterable, Iterator

from core.inventory import Address, Network
from core.yaml_nodes import Mapping, Problems, Scalar, Sequence, Value, describe, join, shorten, trap

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\Z")
NAME_ALLOWED = "a name of letters, digits, dots, hyphens and underscores (at most 63)"


class Reader:
    """One mapping of the file at its key path. A value that is wrong is None, and the problem is noted."""

    def __init__(self, mapping: Mapping, path: str, problems: Problems) -> None:
        self.line = mapping.line
        self.path = path
        self.problems = problems
        self._entries = mapping.entries

    def only(self, *allowed: str) -> None:
        """Note every key that is not one of `allowed`, with the nearest that is."""
        for name, (key, _) in self._entries.items():
            if name not in allowed:
                near = difflib.get_close_matches(name, allowed, 1)
                hint = f" (did you mean {near[0]}?)" if near else ""
                self.problem(key.line, name, f"unknown key{hint}", ", ".join(allowed))

    def problem(self, line: int, key: str, wrong: str, allowed: str) -> None:
        """Note a problem at `key` of this mapping; an empty key means the mapping itself."""
        path = join(self.path, key) if key else self.path or "(file)"
        self.problems.add(line, path, wrong, allowed)

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        return key in self._entries

    def line_of(self, key: str) -> int:
        """Return the line of a key, or of the mapping when it is missing."""
        return self._entries[key][0].line if key in self._entries else self.line

    def value(self, key: str, allowed: str) -> Value | None:
        """Return the value of a required key."""
        if key not in self._entries:
            self.problem(self.line, key, "is missing", allowed)
            return None
        return self._entries[key][1]

    def text(self, key: str, allowed: str = "text of at most 200 characters", longest: int = 200) -> str | None:
        """Return a required text; what YAML would read as something else must be in quotes."""
        value = self.value(key, allowed)
        return None if value is None else self._text(value, key, allowed, longest)

    def _text(self, value: Value, key: str, allowed: str, longest: int = 200) -> str | None:
        if not isinstance(value, Scalar) or (value.plain and value.text in ("", "~", "null", "Null", "NULL")):
            self.problem(value.line, key, f"is {describe(value)}", allowed)
            return None
        why = trap(value)
        if why:
            self.problem(value.line, key, f"is {why}", f"{allowed}; put text into quotes")
            return None
        if not value.text.strip() or len(value.text) > longest or not value.text.isprintable():
            self.problem(value.line, key, f"is {shorten(value.text)}", allowed)
            return None
        return value.text

    def name(self, key: str) -> str | None:
        """Return a required name."""
        found = self.text(key, NAME_ALLOWED)
        return self.checked_name(found, key, self.line_of(key))

    def checked_name(self, found: str | None, key: str, line: int) -> str | None:
        """Return `found` if it is a name."""
        if found is not None and not NAME.match(found):
            self.problem(line, key, f"is {shorten(found)}", NAME_ALLOWED)
            return None
        return found

    def choice(self, key: str, choices: Iterable[str], what: str) -> str | None:
        """Return a required text that is one of `choices`."""
        known = sorted(choices)
        allowed = f"one of {', '.join(known)}" if known else f"none: there is no {what}"
        found = self.text(key, allowed)
        if found is not None and found not in known:
            self.problem(self.line_of(key), key, f"is {shorten(found)}, no {what}", allowed)
            return None
        return found

    def number(self, key: str, low: float, high: float, default: float | None = None) -> float | None:
        """Return a number in [low, high], required unless there is a default."""
        allowed = f"a number from {low:g} to {high:g}"
        if default is not None and key not in self._entries:
            return default
        value = self.value(key, allowed)
        if value is None:
            return None
        if isinstance(value, Scalar):
            why = trap(value)
            if why is None and re.fullmatch(r"[0-9]+(\.[0-9]+)?", value.text) and value.plain:
                number = float(value.text)
                if math.isfinite(number) and low <= number <= high:
                    return number
            self.problem(value.line, key, f"is {why or shorten(value.text)}", allowed)
        else:
            self.problem(value.line, key, f"is {describe(value)}", allowed)
        return None

    def whole(self, key: str, low: int, high: int) -> int | None:
        """Return a required whole number in [low, high]."""
        found = self.number(key, low, high)
        if found is not None and found != int(found):
            self.problem(self.line_of(key), key, f"is {found:g}", f"a whole number from {low} to {high}")
            return None
        return None if found is None else int(found)

    def flag(self, key: str) -> bool | None:
        """Return a required truth, written as true or false without quotes."""
        allowed = "true or false"
        value = self.value(key, allowed)
        if isinstance(value, Scalar) and value.plain and value.text in ("true", "false"):
            return value.text == "true"
        if value is not None:
            self.problem(value.line, key, f"is {describe(value)}", allowed)
        return None

    def address(self, key: str) -> Address | None:
        """Return a required IPv4 or IPv6 address."""
        found = self.text(key, "an IP address")
        return self.checked_address(found, key, self.line_of(key))

    def checked_address(self, found: str | None, key: str, line: int) -> Address | None:
        """Return `found` as an address if it is one."""
        try:
            return None if found is None else ipaddress.ip_address(found)
        except ValueError:
            self.problem(line, key, f"is {shorten(str(found))}", "an IP address")
            return None

    def network(self, key: str) -> Network | None:
        """Return a required IPv4 or IPv6 network, written without host bits."""
        allowed = "a network without host bits, such as 10.1.100.0/28"
        found = self.text(key, allowed)
        try:
            return None if found is None else ipaddress.ip_network(found)
        except ValueError as error:
            self.problem(self.line_of(key), key, f"is {shorten(str(found))} ({error})", allowed)
            return None

    def section(self, key: str, allowed: str) -> Reader | None:
        """Return the required mapping at `key`."""
        value = self.value(key, allowed)
        if value is None:
            return None
        if not isinstance(value, Mapping) or not value.entries:
            self.problem(
                value.line, key, f"is {describe(value) if not isinstance(value, Mapping) else 'empty'}", allowed
            )
            return None
        return Reader(value, join(self.path, key), self.problems)

    def named_sections(self) -> Iterator[tuple[str, Reader]]:
        """Yield each entry of this mapping that is itself a mapping, by its name; others are problems."""
        for name, (key, value) in self._entries.items():
            self.checked_name(name, name, key.line)
            if trap(key) and key.plain:
                self.problem(key.line, name, f"is {trap(key)}", f"{NAME_ALLOWED}; put it into quotes")
            elif isinstance(value, Mapping):
                yield name, Reader(value, join(self.path, name), self.problems)
            else:
                self.problem(value.line, name, f"is {describe(value)}", "a mapping")

    def texts(self) -> Iterator[tuple[str, int, str | None]]:
        """Yield (key, line, text) of each entry of this mapping."""
        for name, (key, value) in self._entries.items():
            yield name, key.line, self._text(value, name, "text")

    def words(self, key: str, allowed: str) -> list[tuple[int, str]]:
        """Return the texts of a required list that may not be empty, with their lines."""
        return [(line, text) for line, _, text in self._texts(key, allowed)]

    def names(self, key: str, allowed: str) -> list[tuple[int, str]]:
        """Return the texts of a required list that may not be empty, with their lines; each once."""
        found: list[tuple[int, str]] = []
        for line, path, text in self._texts(key, allowed):
            if text in (name for _, name in found):
                self.problem(line, path, f"is {shorten(text)} a second time", "each once")
            else:
                found.append((line, text))
        return found

    def _texts(self, key: str, allowed: str) -> Iterator[tuple[int, str, str]]:
        for line, path, value in self._items(key, allowed):
            text = self._text(value, path, allowed)
            if text is not None:
                yield line, path, text

    def sections(self, key: str, allowed: str) -> list[Reader]:
        """Return the mappings of a required list that may not be empty."""
        found = []
        for line, path, value in self._items(key, allowed):
            if isinstance(value, Mapping):
                found.append(Reader(value, join(self.path, path), self.problems))
            else:
                self.problem(line, path, f"is {describe(value)}", "a mapping")
        return found

    def _items(self, key: str, allowed: str) -> list[tuple[int, str, Value]]:
        value = self.value(key, allowed)
        if value is None:
            return []
        if not isinstance(value, Sequence) or not value.items:
            self.problem(value.line, key, f"is {'empty' if isinstance(value, Sequence) else describe(value)}", allowed)
            return []
        return [(item.line, f"{key}[{number}]", item) for number, item in enumerate(value.items)]
