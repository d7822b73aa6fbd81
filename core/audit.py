"""The audit's chain: each entry carries the hash of the one before, so that none can be changed or taken out unseen.

An entry is one line of JSON: `n` (from 1), `wall_ns`, `who`, `what`, `values` and `previous`, and as last field
`hash`, SHA-256 over the line without it. The chain alone cannot show that its end was cut off; whoever keeps the
last hash elsewhere can (`vipchaos audit verify --expect HASH`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

FIRST = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as read back."""

    number: int
    wall_ns: int
    who: str
    what: str
    values: Mapping[str, object]
    hash: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A line (counted from 1) that is not as it was written. `torn`: its writer died; it says nothing of the others."""

    line: int
    why: str
    torn: bool = False


def seal(last: Entry | None, wall_ns: int, who: str, what: str, values: Mapping[str, object]) -> tuple[Entry, str]:
    """Return the entry that follows `last`, and its line without the line feed."""
    body = {
        "n": last.number + 1 if last else 1,
        "wall_ns": wall_ns,
        "who": who,
        "what": what,
        "values": values,
        "previous": last.hash if last else FIRST,
    }
    digest = _digest(body)
    entry = Entry(last.number + 1 if last else 1, wall_ns, who, what, values, digest)
    return entry, json.dumps(body | {"hash": digest})


def _digest(body: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def entries(lines: Iterable[str]) -> Iterator[Entry | Broken]:
    """Yield each entry, and what is wrong with lines or between them; a line that is none is left out of the chain."""
    last: Entry | None = None
    for line, text in enumerate(lines, 1):
        found = _entry(text)
        if found is None:
            yield Broken(line, "is no entry: torn as it was written, or damaged", torn=True)
            continue
        entry, previous, true_hash = found
        if entry.hash != true_hash:
            yield Broken(line, "was changed: its hash is another")
        if previous != (last.hash if last else FIRST) or entry.number != (last.number + 1 if last else 1):
            yield Broken(line, "does not follow the entry before: one was changed, put in or taken out")
        last = entry
        yield entry


def last_entry(lines: Iterable[str]) -> Entry | None:
    """Return the last line that is an entry, of lines handed in from the end on."""
    return next((found[0] for found in map(_entry, lines) if found is not None), None)


def _entry(text: str) -> tuple[Entry, str, str] | None:
    """Return the entry in a line, the hash that it says its predecessor has, and the hash that it must have itself."""
    try:
        body = json.loads(text)
        digest = str(body.pop("hash"))
        entry = Entry(
            int(body["n"]), int(body["wall_ns"]), str(body["who"]), str(body["what"]), dict(body["values"]), digest
        )
        return entry, str(body["previous"]), _digest(body)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
