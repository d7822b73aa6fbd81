"""What goes into an evidence file: which packets around which events, in what order, with what words. Pure.

A burst is what happened within a second: one site failover is one burst, whatever number of sessions it hits.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from core.tcp.segments import Segment

SNAP_BYTES = 256
FILE_BYTES = 1_000_000
"""At most so many bytes of packets in a file; the sessions in it share them evenly."""
SESSIONS_A_FILE = 25
MOST_KEPT = 8
_OVERHEAD_BYTES = 48  # of a packet in the file: block, flags and the ends of its options


@dataclass(frozen=True, slots=True)
class Packet:
    """An IP packet as it was (its first 256 bytes) at `t_ns`; `out`: sent. `words` are its comment in the file."""

    t_ns: int
    data: bytes
    out: bool = False
    words: str = ""

    @property
    def length(self) -> int:
        """Bytes of the whole packet, as its own header tells."""
        if self.data[0] >> 4 == 6:
            return 40 + int.from_bytes(self.data[4:6], "big")
        return int.from_bytes(self.data[2:4], "big")

    @property
    def room_bytes(self) -> int:
        """Return how much of a file it takes, about."""
        return len(self.data) + len(self.words) + _OVERHEAD_BYTES


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat sent from `port` at `t_ns`, by its numbers; it is built again when it is written."""

    t_ns: int
    slot: int
    port: int
    revolution: int
    segment: Segment


@dataclass(frozen=True, slots=True)
class Mark:
    """An instant of an event, and what is to be said of the packet at it, which was sent (`out`) or received."""

    t_ns: int
    out: bool
    words: str


class Kept(Protocol):
    """What was kept of a slot at one instant."""

    def within(self, first_ns: int, last_ns: int) -> Iterable[Packet | Beat]:
        """Return the packets as they were, and the heartbeats by their numbers, between two instants."""


@dataclass
class Story:
    """What happened to the session in one slot, and what was kept of it. `events` are named as in the record."""

    slot: int
    marks: list[Mark] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    def keep(self, kept: Kept) -> None:
        """Add what is kept now; of many the first and the newest stay."""
        if len(self.kept) == MOST_KEPT:
            self.kept.pop()
        self.kept.append(kept)


@dataclass(frozen=True)
class Burst:
    """Stories for one file; `left_out` counts the sessions that the same hit and that found no place in it.

    `around_ns`: how long before its first and after its last mark a story begins and ends.
    """

    stories: Sequence[Story]
    left_out: int
    around_ns: int
    heartbeat: Callable[[Beat], bytes]

    @property
    def events(self) -> tuple[str, ...]:
        """The kinds of events in it, each once."""
        return tuple(sorted({event for story in self.stories for event in story.events}))


@dataclass(frozen=True, slots=True)
class Told:
    """The packets of one story that go into the file, and how many did not."""

    packets: tuple[Packet, ...]
    left_out: int


def tell(burst: Burst) -> Iterator[Told]:
    """Yield each story's packets, in order of time, with words at its marks; what its share has no room for is counted.

    Those farthest from any mark are left out first.
    """
    share = FILE_BYTES // max(1, len(burst.stories))
    for story in burst.stories:
        yield _fitting(_told(story, burst), sorted(mark.t_ns for mark in story.marks), share)


def _told(story: Story, burst: Burst) -> list[Packet]:
    first_ns = min(mark.t_ns for mark in story.marks) - burst.around_ns
    last_ns = max(mark.t_ns for mark in story.marks) + burst.around_ns
    packets: list[Packet] = []
    for kept in {kept for part in story.kept for kept in part.within(first_ns, last_ns)}:
        if isinstance(kept, Packet):
            packets.append(kept)
        else:
            words = f"heartbeat {kept.revolution} of slot {kept.slot}, rebuilt from its template"
            packets.append(Packet(kept.t_ns, burst.heartbeat(kept), out=True, words=words))
    packets.sort(key=lambda packet: packet.t_ns)
    return _marked(packets, story.marks)


def _marked(packets: list[Packet], marks: Sequence[Mark]) -> list[Packet]:
    """Put the words of each mark to the first packet of its direction from its instant on."""
    ways = {out: [at for at, packet in enumerate(packets) if packet.out is out] for out in (False, True)}
    for mark in sorted(set(marks), key=lambda mark: mark.t_ns, reverse=True):
        way = ways[mark.out] or ways[not mark.out]
        if not way:
            continue
        found = bisect_left(way, mark.t_ns, key=lambda at: packets[at].t_ns)
        at = way[min(found, len(way) - 1)]
        words = "\n".join(text for text in (mark.words, packets[at].words) if text)
        packets[at] = replace(packets[at], words=words)
    return packets


def _fitting(packets: list[Packet], marks_ns: list[int], share: int) -> Told:
    def distance_ns(packet: Packet) -> int:
        at = bisect_left(marks_ns, packet.t_ns)
        return min(abs(packet.t_ns - mark_ns) for mark_ns in marks_ns[max(0, at - 1) : at + 1])

    kept: list[Packet] = []
    for packet in sorted(packets, key=distance_ns):
        share -= packet.room_bytes
        if share < 0:
            break
        kept.append(packet)
    kept.sort(key=lambda packet: packet.t_ns)
    return Told(tuple(kept), len(packets) - len(kept))
