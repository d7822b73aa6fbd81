"""The records of a run in order of time, and the run as it stood at any instant of them. Pure; bounded where asked."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable

from core.capture_records import CaptureGap
from core.records import Heartbeats, Record
from tui.model.fold import Fold

MARK_EVERY = 500
MOST_MARKS = 16
_NOT_SHOWN = (Heartbeats, CaptureGap)


class Tape:
    """Takes records as they come and winds to an instant. With `most` the oldest records are let go beyond so many.

    Journals of several processes are read one after another, so a record of one may come a little after later ones of
    another. The fold takes it as it comes: what a vantage shows does not hang on the order between vantages.
    """

    def __init__(self, most: int | None = None) -> None:
        self.records: list[Record] = []
        self._times: list[int] = []
        self.most = most
        self._marks: list[tuple[int, Fold]] = [(0, Fold())]  # (records folded, the fold)
        self._at = (0, Fold())
        self.let_go = 0

    @property
    def begin_ns(self) -> int:
        """The first instant that can be shown, 0 without any record."""
        return self._times[0] if self._times else 0

    @property
    def end_ns(self) -> int:
        """The last instant of a record."""
        return self._times[-1] if self._times else 0

    def add(self, records: Iterable[Record]) -> int:
        """Take records in and return how many were kept."""
        count = 0
        for record in records:
            if isinstance(record, _NOT_SHOWN):
                continue
            count += 1
            if not self._times or record.t_ns >= self._times[-1]:
                self.records.append(record)
                self._times.append(record.t_ns)
                continue
            index = bisect_right(self._times, record.t_ns)
            self.records.insert(index, record)
            insort(self._times, record.t_ns)
            self._late(index, record)
        return count

    def _late(self, index: int, record: Record) -> None:
        """Have the fold take a record that came late; marks beyond it are without it, so they go."""
        count, fold = self._at
        if count > index:
            self._marks = [mark for mark in self._marks if mark[0] <= index] or self._marks[:1]
            fold.take(record)
            self._at = (count + 1, fold)

    def at(self, t_ns: int) -> Fold:
        """Return the run as it stood at an instant. It goes on changing at the next call; its views do not."""
        wanted = bisect_right(self._times, t_ns)
        if wanted < self._at[0]:
            count, fold = next(mark for mark in reversed(self._marks) if mark[0] <= wanted or mark is self._marks[0])
            self._at = (count, fold.copy())
        count, fold = self._at
        while count < wanted:
            fold.take(self.records[count])
            count += 1
            if count % MARK_EVERY == 0 and count > self._marks[-1][0]:
                self._mark(count, fold)
        self._at = (count, fold)
        if self.most is not None and len(self.records) > self.most:
            self._let_go(len(self.records) - self.most // 2)
        return fold

    def until(self, t_ns: int) -> list[Record]:
        """Return the records up to an instant."""
        return self.records[: bisect_right(self._times, t_ns)]

    def _mark(self, count: int, fold: Fold) -> None:
        self._marks.append((count, fold.copy()))
        if len(self._marks) > MOST_MARKS:
            del self._marks[1::2]

    def _let_go(self, oldest: int) -> None:
        """Let the oldest records go, as far as the newest mark that is not after them, or the head."""
        keep = max((mark for mark in self._marks if mark[0] <= oldest), key=lambda mark: mark[0])
        if not keep[0]:
            return
        del self.records[: keep[0]]
        del self._times[: keep[0]]
        self.let_go += keep[0]
        self._marks = [(count - keep[0], fold) for count, fold in self._marks if count >= keep[0]]
        self._at = (max(0, self._at[0] - keep[0]), self._at[1])
