"""One second's counts, by who answered, and the probe's own lateness: what summaries and health records are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.records import Answer, Summary

HISTOGRAM_BUCKETS = 24
UNMEASURED = np.iinfo(np.int64).min
"""The round trip of an answer that says nothing of it."""
Values = NDArray[np.int64]


class Tally:
    """Counts of the present second. Groups are the numbers of `Answers`."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._sent = np.zeros(64, np.int64)
        self._groups: list[NDArray[np.uint16]] = []
        self._rtts: list[Values] = []
        self._late: list[Values] = []
        self.skipped = 0
        self.syn_sent = 0
        self.syn_answered = 0
        self.syn_refused = 0

    def sent(self, groups: NDArray[np.uint16], late_ns: Values) -> None:
        """Count heartbeats that went out, each `late_ns` after it was due."""
        counts = np.bincount(groups)
        if len(counts) > len(self._sent):
            self._sent = np.concatenate([self._sent, np.zeros(2 * len(counts), np.int64)])
        self._sent[: len(counts)] += counts
        self._late.append(late_ns)

    def answered(self, groups: NDArray[np.uint16], rtts_ns: Values) -> None:
        """Count answers, each with its round trip or `UNMEASURED`."""
        self._groups.append(groups)
        self._rtts.append(rtts_ns)

    def lateness(self) -> tuple[int, int, int]:
        """Return median, 99th percentile and maximum of the lateness in ns."""
        late = np.concatenate(self._late) if self._late else np.zeros(1, np.int64)
        return (*percentiles(late), int(late.max()))

    def summaries(
        self, now_ns: int, vantage: str, answers: Sequence[Answer], alive: NDArray[np.int64]
    ) -> list[Summary]:
        """Return a summary for each (site, node, NAT pool), then begin a new second. `alive`: sessions by group."""
        groups = np.concatenate(self._groups) if self._groups else np.zeros(0, np.uint16)
        rtts = np.concatenate(self._rtts) if self._rtts else np.zeros(0, np.int64)
        keys = [(answer.site, answer.node, answer.nat_pool) for answer in answers]
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        group_of = np.array([numbers[key] for key in keys])
        late_ns = self.lateness()[2]
        sent, living = Counter[int](), Counter[int]()
        for group, number in enumerate(group_of.tolist()):
            sent[number] += int(self._sent[group]) if group < len(self._sent) else 0
            living[number] += int(alive[group]) if group < len(alive) else 0
        belongs = group_of[groups] if len(groups) else groups
        found: list[Summary] = []
        for key, number in numbers.items():
            all_mine = rtts[belongs == number]
            if not (len(all_mine) or sent[number] or living[number]):
                continue
            mine = np.maximum(all_mine[all_mine != UNMEASURED], 0)
            p50, p99 = percentiles(mine)
            found.append(
                Summary(
                    t_ns=now_ns,
                    vantage=vantage,
                    site=key[0],
                    node=key[1],
                    nat_pool=key[2],
                    alive=living[number],
                    sent=sent[number],
                    answered=len(all_mine),
                    skipped=0 if found else self.skipped,
                    late_ns=late_ns,
                    rtt_p50_ns=p50,
                    rtt_p99_ns=p99,
                    rtt_histogram=_histogram(mine),
                    syn_sent=0 if found else self.syn_sent,
                    syn_answered=0 if found else self.syn_answered,
                    syn_refused=0 if found else self.syn_refused,
                )
            )
        self._begin()
        return found


def percentiles(values: Values) -> tuple[int, int]:
    """Return median and 99th percentile, as measured values; zeros where there are none."""
    if not len(values):
        return 0, 0
    ranks = (len(values) // 2, len(values) * 99 // 100)
    ordered = np.partition(values, ranks)
    return int(ordered[ranks[0]]), int(ordered[ranks[1]])


def _histogram(rtts_ns: Values) -> tuple[int, ...]:
    """Count by powers of two of a microsecond (see `core.records.Summary`)."""
    _, exponents = np.frexp((rtts_ns // 1_000).astype(np.float64))
    buckets = np.minimum(exponents, HISTOGRAM_BUCKETS - 1)
    return tuple(np.bincount(buckets, minlength=HISTOGRAM_BUCKETS).tolist())
