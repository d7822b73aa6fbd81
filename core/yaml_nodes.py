"""Knows YAML: text becomes a small tree whose every value keeps its line, and every trap of YAML 1.1 is refused.

The only file that imports yaml. The tree is built from parser events, not by a constructor, so no value is ever
converted behind our back (`22:30` to 1350, `010` to 8, `no` to false) and nesting cannot exhaust the stack.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from core.errors import ConfigError

LARGEST_BYTES = 1024 * 1024
DEEPEST = 16  # our files nest 5 deep; a bound keeps hostile ones harmless
FILE = "(file)"
ONE_MAPPING = "one YAML mapping"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong, at `line` (counted from 1) and key path `path`."""

    line: int
    path: str
    wrong: str
    allowed: str

    def text(self, source: str) -> str:
        """Return the message, as documented: `file:line: key path: what is wrong, allowed: what is allowed`."""
        return f"{source}:{self.line}: {self.path}: {self.wrong}, allowed: {self.allowed}"


class Problems:
    """The problems of one file, collected so that all are reported at once."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._found: list[Problem] = []

    def add(self, line: int, path: str, wrong: str, allowed: str) -> None:
        """Note one problem; the same one twice counts once."""
        problem = Problem(line, path, wrong, allowed)
        if problem not in self._found:
            self._found.append(problem)

    def __bool__(self) -> bool:
        return bool(self._found)

    def lines(self) -> list[str]:
        """Return the messages, sorted by line."""
        return [problem.text(self.source) for problem in sorted(self._found)]

    def raise_if_any(self) -> None:
        """Raise ConfigError with all messages, one a line, when there are any."""
        if self._found:
            raise ConfigError("\n".join(self.lines()))


@dataclass(frozen=True, slots=True)
class Scalar:
    """Text as written; `plain` when without quotes, and so subject to the traps."""

    line: int
    text: str
    plain: bool


@dataclass(slots=True)
class Sequence:
    """A list of values."""

    line: int
    items: list[Value]


@dataclass(slots=True)
class Mapping:
    """Keys with their lines, in the order written; a duplicate key is a problem and keeps its first value."""

    line: int
    entries: dict[str, tuple[Scalar, Value]]


Value = Scalar | Sequence | Mapping


def parse(text: str, problems: Problems) -> Mapping | None:
    """Return the one mapping that `text` is, or None with the reason among the problems."""
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        problems.add(1, FILE, "is not UTF-8", "UTF-8 text")
        return None
    if size > LARGEST_BYTES:
        problems.add(1, FILE, f"has {size} bytes", f"at most {LARGEST_BYTES} bytes")
        return None
    builder = _Builder(problems)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if not builder.take(event):
                return None
    except yaml.reader.ReaderError as error:
        # Its position counts bytes or characters, so the line is found by counting newlines before it.
        line = text.encode("utf-8")[: error.position].count(b"\n") + 1
        problems.add(line, FILE, f"has a character that YAML forbids ({error.reason})", "printable text")
        return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        wrong = " ".join(part for part in (error.context, error.problem) if part)
        problems.add(mark.line + 1 if mark else 1, FILE, f"is not YAML ({wrong})", ONE_MAPPING)
        return None
    return builder.root(problems)


class _Builder:
    """Turns parser events into the tree; `take` returns False when going on makes no sense."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._stack: list[Sequence | Mapping] = []
        self._keys: list[Scalar | None] = []
        self._paths: list[str] = []
        self._root: Value | None = None
        self._documents = 0

    def root(self, problems: Problems) -> Mapping | None:
        root = self._root
        if root is None or (isinstance(root, Scalar) and root.plain and root.text == ""):
            problems.add(1, FILE, "is empty", ONE_MAPPING)
            return None
        if not isinstance(root, Mapping):
            problems.add(root.line, FILE, f"is {describe(root)}", ONE_MAPPING)
            return None
        return root

    def take(self, event: yaml.Event) -> bool:
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._problems.add(line, FILE, "has a second document", ONE_MAPPING)
                return False
        elif isinstance(event, yaml.AliasEvent):
            self._problems.add(line, self._path(), f"uses an alias (*{event.anchor})", "the value written out")
            self._put(Scalar(line, "", plain=False), line)
            return False
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self._stack.pop()
            self._keys.pop()
            self._paths.pop()
        elif isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent | yaml.MappingStartEvent):
            return self._take_value(event, line)
        return True

    def _take_value(self, event: yaml.NodeEvent, line: int) -> bool:
        if event.anchor is not None:
            self._problems.add(line, self._path(), f"has an anchor (&{event.anchor})", "the value without anchor")
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._problems.add(line, self._path(), f"has a tag ({tag})", "the value without tag")
        if isinstance(event, yaml.ScalarEvent):
            return self._put(Scalar(line, event.value, plain=event.style in (None, "")), line)
        if len(self._stack) >= DEEPEST:
            self._problems.add(line, self._path(), "is nested too deep", f"at most {DEEPEST} levels")
            return False
        container: Sequence | Mapping
        container = Mapping(line, {}) if isinstance(event, yaml.MappingStartEvent) else Sequence(line, [])
        path = self._path()
        if not self._put(container, line):
            return False
        self._stack.append(container)
        self._keys.append(None)
        self._paths.append(path)
        return True

    def _put(self, value: Value, line: int) -> bool:
        if not self._stack:
            self._root = value
            return True
        parent = self._stack[-1]
        if isinstance(parent, Sequence):
            parent.items.append(value)
            return True
        key = self._keys[-1]
        if key is None:
            if not isinstance(value, Scalar):
                self._problems.add(line, self._path(), f"has {describe(value)} as a key", "a name as key")
                return False
            self._keys[-1] = value
            return True
        self._keys[-1] = None
        if key.text in parent.entries:
            first = parent.entries[key.text][0].line
            path = join(self._paths[-1], key.text)
            self._problems.add(key.line, path, f"duplicate key (first on line {first})", "each key once")
        else:
            parent.entries[key.text] = (key, value)
        return True

    def _path(self) -> str:
        """Return the key path of the value that comes next."""
        if not self._stack:
            return FILE
        parent, path = self._stack[-1], self._paths[-1]
        if isinstance(parent, Sequence):
            return f"{path}[{len(parent.items)}]"
        key = self._keys[-1]
        return path if key is None else join(path, key.text)


def join(path: str, key: str) -> str:
    """Return the key path one level deeper; a key that is no plain word is quoted so that a message stays one line."""
    shown = key if re.fullmatch(r"[A-Za-z0-9_.:/\[\]-]{1,64}", key) else shorten(key)
    return shown if path in ("", FILE) else f"{path}.{shown}"


def shorten(text: str) -> str:
    """Return `text` quoted and short enough for a message of one line."""
    return ascii(text if len(text) <= 40 else text[:37] + "...")


def describe(value: Value) -> str:
    """Return what a value is, in the words of messages."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence):
        return "a list"
    if value.plain and value.text in ("", "~", "null", "Null", "NULL"):
        return "empty"
    return shorten(value.text)


_TRAPS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}"),
        "a MAC address, which YAML may read as a number when it has no quotes",
    ),
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"), "which YAML reads as a number in base 60"),
    (re.compile(r"[-+]?0[0-9_]+"), "which YAML reads as an octal number"),
    (re.compile(r"[-+]?0[bx][0-9a-fA-F_]+"), "which YAML reads as a binary or hexadecimal number"),
    (re.compile(r"(yes|no|on|off|y|n|true|false)", re.IGNORECASE), "which YAML reads as true or false"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"), "which YAML reads as a date"),
)


def trap(scalar: Scalar) -> str | None:
    """Return why a scalar without quotes is not what it seems, or None."""
    if scalar.plain:
        for pattern, why in _TRAPS:
            if pattern.fullmatch(scalar.text):
                return f"{scalar.text} without quotes, {why}"
    return None
