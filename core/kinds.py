"""Records by their kind: one pass over a million of them, instead of one for each question that is asked of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from core.records import Record

R = TypeVar("R")


class Kinds:
    """The records of a run by type, each kind in the order in which they came."""

    def __init__(self, records: Iterable[Record]) -> None:
        found: defaultdict[type, list[Record]] = defaultdict(list)
        for record in records:
            found[type(record)].append(record)
        self._found: Mapping[type, Sequence[object]] = found

    def of(self, kind: type[R]) -> Sequence[R]:
        """Return the records of one kind."""
        return self._found.get(kind, ())  # type: ignore[return-value]
