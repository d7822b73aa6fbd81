"""What is typed after `/`: words that each row must have. `!` turns one round, `key:value` looks in one column."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """One word: a regular expression, for one column ('' for all), wanted or (`inverse`) not wanted."""

    expression: re.Pattern[str]
    column: str
    inverse: bool


class FilterError(ValueError):
    """What was typed is no filter; the message says why."""


def parse(text: str, columns: Sequence[str]) -> tuple[Term, ...]:
    """Return the words of a filter over `columns`. Raises FilterError."""
    found = []
    for word in text.split():
        inverse = word.startswith("!")
        rest = word[1:] if inverse else word
        key, colon, value = rest.partition(":")
        column = next((name for name in columns if colon and name.casefold().startswith(key.casefold()) and key), "")
        if colon and key.isalpha() and not column:
            raise FilterError(f"no column {key!r}; there are: {', '.join(columns)}")
        try:
            found.append(Term(re.compile(value if column else rest, re.IGNORECASE), column, inverse))
        except re.error as error:
            raise FilterError(f"{rest!r} is no regular expression: {error}") from error
    return tuple(found)


def matcher(terms: Sequence[Term], columns: Sequence[str]) -> Callable[[Sequence[str]], bool]:
    """Return what tells whether a row, its cells in the order of `columns`, has all that is wanted."""
    places = [(term, columns.index(term.column) if term.column else -1) for term in terms]

    def fits(cells: Sequence[str]) -> bool:
        for term, place in places:
            where = cells[place] if place >= 0 else " ".join(cells)
            if bool(term.expression.search(where)) == term.inverse:
                return False
        return True

    return fits
