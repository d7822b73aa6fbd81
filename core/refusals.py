"""Why a run, a fault or a lease is refused: a code that a program can read, and the words for people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal. `reason` is a code of lower-case letters and underscores that stays the same for ever."""

    reason: str
    words: str
