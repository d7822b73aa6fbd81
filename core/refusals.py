"""A refusal: why something is not started, for machines and for people. Values only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """`reason` is a code of small letters and underscores that never changes; `words` say the same to people."""

    reason: str
    words: str
