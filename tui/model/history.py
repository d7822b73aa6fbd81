"""The last minutes of one vantage, as changes in fine slices of time; and lanes: cells of any width made of them.

A cell is the worst of its span, so a gap of 20 ms in a cell of half a second is seen. What becomes known late (an
outage's true ends) is put into the slices it belongs to.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tui.model.places import NOWHERE, Place

FINE_NS = 20_000_000
KEPT_NS = 300_000_000_000
MOST_SLICES = 6_000


class What(enum.IntEnum):
    """What changed in a slice; the values of each are counts of sessions."""

    CAME = 0  # began to be answered from a place
    WENT = 1  # is answered from that place no more
    SLOT = 2  # is held from now on
    SILENT_FROM = 3
    SILENT_TO = 4
    LATE_FROM = 5  # the probe itself was late
    LATE_TO = 6
    BLIND_FROM = 7  # nothing was heard of the vantage
    BLIND_TO = 8
    DROPPED = 9
    OPENED_AGAIN = 10


Key = tuple[What, Place]
Slices = Mapping[int, Mapping[Key, int]]
_OPPOSITE = {What.WENT: What.CAME, What.SILENT_TO: What.SILENT_FROM}


class State(enum.IntEnum):
    """What a cell shows, in the order of how bad it is."""

    NOTHING = 0  # no session was held
    ANSWERED = 1
    LATE = 2  # answered as far as can be told: the probe was late itself
    UNKNOWN = 3  # nothing was heard of the vantage
    PART = 4  # some sessions were not answered
    NOBODY = 5  # none was


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a lane. `place` answered most sessions at its end; `also` further ones inside it.

    `share` is the smallest part of the sessions that was answered, from 0 to 1; -1 where none was held.
    """

    state: State
    place: Place = NOWHERE
    also: tuple[Place, ...] = ()
    share: float = -1.0
    dropped: int = 0
    opened_again: int = 0


@dataclass
class History:
    """Slices by number (instant // FINE_NS); what lies before the oldest is summed up in `base`."""

    slices: dict[int, Mapping[Key, int]] = field(default_factory=dict)
    base: dict[Key, int] = field(default_factory=dict)
    changes: int = 0

    def add(self, what: What, t_ns: int, count: int = 1, place: Place = NOWHERE) -> None:
        """Note a change of `count` sessions at an instant; a negative one takes an earlier note back."""
        number = t_ns // FINE_NS
        self.changes += 1
        mine = dict(self.slices.get(number, {}))
        mine[what, place] = mine.get((what, place), 0) + count
        self.slices[number] = mine

    def trim(self, now_ns: int) -> None:
        """Sum up what is older than `KEPT_NS`, and the oldest where there are too many slices."""
        oldest = (now_ns - KEPT_NS) // FINE_NS
        numbers = sorted(self.slices)
        for number in (
            *[number for number in numbers if number < oldest],
            *[number for number in numbers if number >= oldest][: max(0, len(numbers) - MOST_SLICES)],
        ):
            for key, count in self.slices.pop(number, {}).items():
                self.base[key] = self.base.get(key, 0) + count

    def copy(self) -> History:
        """Return one that later changes leave as it is."""
        return History(dict(self.slices), dict(self.base), self.changes)


class _Now:
    """How things stand while slices are gone through."""

    def __init__(self, base: Mapping[Key, int]) -> None:
        self.places: Counter[Place] = Counter()
        self.slots = self.silent = self.late = self.blind = 0
        self.take(base)

    def take(self, changes: Mapping[Key, int]) -> None:
        for (what, place), count in changes.items():
            match what:
                case What.CAME:
                    self.places[place] += count
                case What.WENT:
                    self.places[place] -= count
                case What.SLOT:
                    self.slots += count
                case What.SILENT_FROM:
                    self.silent += count
                case What.SILENT_TO:
                    self.silent -= count
                case What.LATE_FROM:
                    self.late += count
                case What.LATE_TO:
                    self.late -= count
                case What.BLIND_FROM:
                    self.blind += count
                case What.BLIND_TO:
                    self.blind -= count
                case _:
                    pass


class _Cell:
    """One cell while it is filled: the worst so far."""

    def __init__(self, now: _Now) -> None:
        self.state = State.NOTHING
        self.share = -1.0
        self.seen: dict[Place, None] = {place: None for place, count in now.places.items() if count > 0}
        self.dropped = self.opened_again = 0
        self.see(now.slots, now.silent, now.late, now.blind)

    def see(self, slots: int, silent: int, late: int, blind: int) -> None:
        if slots <= 0:
            return
        share = max(0.0, 1 - max(0, silent) / slots)
        self.share = share if self.share < 0 else min(self.share, share)
        if silent >= slots:
            state = State.NOBODY
        elif silent > 0:
            state = State.PART
        elif blind > 0:
            state = State.UNKNOWN
        else:
            state = State.LATE if 2 * late >= slots and late > 0 else State.ANSWERED
        self.state = max(self.state, state)

    def slice(self, now: _Now, changes: Mapping[Key, int]) -> None:
        """Take one slice in: first what begins in it, as the worst of it, then all of it."""
        begins: Counter[What] = Counter()
        for (what, place), count in changes.items():
            if what is What.CAME and count > 0:
                self.seen[place] = None
            elif what is What.DROPPED:
                self.dropped += count
            elif what is What.OPENED_AGAIN:
                self.opened_again += count
            begins[what] += count
        self.see(
            max(now.slots, now.slots + begins[What.SLOT]),
            now.silent + begins[What.SILENT_FROM],
            now.late + begins[What.LATE_FROM],
            now.blind + begins[What.BLIND_FROM],
        )
        now.take(changes)
        self.see(now.slots, now.silent, now.late, now.blind)

    def done(self, now: _Now) -> Cell:
        living = [(count, bool(place.node), place) for place, count in now.places.items() if count > 0]
        place = max(living)[2] if living else next(reversed(self.seen), NOWHERE)
        if self.state in (State.NOTHING, State.NOBODY):
            return Cell(self.state, NOWHERE, tuple(self.seen), self.share, self.dropped, self.opened_again)
        also = tuple(other for other in self.seen if other != place)
        return Cell(self.state, place, also, self.share, self.dropped, self.opened_again)


def lane(history: History, begin_ns: int, cell_ns: int, cells: int, heard_ns: int, now_ns: int) -> tuple[Cell, ...]:
    """Return `cells` cells from `begin_ns` on, each `cell_ns` wide (a multiple of FINE_NS; begin_ns too).

    Cells that begin after `heard_ns`, up to when the vantage can be believed, are unknown; after `now_ns`, nothing.
    """
    now = _Now(history.base)
    found: list[Cell] = []
    slices = _sorted(history.slices)
    number, changes = next(slices, (None, {}))
    while number is not None and number * FINE_NS < begin_ns:
        now.take(changes)
        number, changes = next(slices, (None, {}))
    for index in range(cells):
        at_ns = begin_ns + index * cell_ns
        cell = _Cell(now)
        while number is not None and number * FINE_NS < at_ns + cell_ns:
            cell.slice(now, changes)
            number, changes = next(slices, (None, {}))
        if at_ns > now_ns:
            found.append(Cell(State.NOTHING))
        elif at_ns > heard_ns and cell.state not in (State.NOTHING, State.NOBODY, State.PART):
            found.append(Cell(State.UNKNOWN))
        else:
            found.append(cell.done(now))
    return tuple(found)


def _sorted(slices: Slices) -> Iterator[tuple[int, Mapping[Key, int]]]:
    for number in sorted(slices):
        yield number, slices[number]
