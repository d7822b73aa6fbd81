"""Events become bursts: what happens within a second is one file, of so many sessions, and the rest is counted."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.records import Clock, Drop, DropCause, OutageBegan, OutageEnded
from probe.evidence import Beat, Burst, Mark, Packet, Story, tell
from probe.ring.cases import LONGEST_NS, Cases
from probe.ring.held import Held, Layout
from probe.ring.recorder import Recorder
from probe.ring.turns import Turns


@dataclass(frozen=True)
class Given:
    """Packets to be told of."""

    packets: frozenset[Packet]

    def within(self, first_ns: int, last_ns: int) -> list[Packet]:
        return [packet for packet in self.packets if first_ns <= packet.t_ns <= last_ns]


PERIOD_NS = 10_000_000
SECOND_NS = 1_000_000_000


def cases_of(count: int) -> tuple[Cases, Recorder, list[Burst]]:
    recorder = Recorder(Held(count, 1, Layout(20)), Turns(0, PERIOD_NS, count), 80, 256)
    put: list[Burst] = []
    return Cases(recorder, count, PERIOD_NS, "v1-{}-0".format, heartbeat, put.append), recorder, put


def heartbeat(beat: Beat) -> bytes:
    return packet(beat.revolution)


def packet(number: int) -> bytes:
    return bytes([0x45, 0, 0, 52]) + bytes([number % 256]) * 48


def began(slot: int, t_ns: int) -> OutageBegan:
    return OutageBegan(t_ns, "v1", slot, Clock.DATA_PLANE, t_ns - 90_000_000)


def ended(slot: int, t_ns: int) -> OutageEnded:
    instants = (t_ns - 500, t_ns - 490, t_ns - 400, t_ns - 200, t_ns - 100, t_ns)
    numbers = {"lost": 3, "skipped": 0, "slip_ns": 0, "self_inflicted": False, "same_session": True}
    return OutageEnded(t_ns, "v1", slot, Clock.DATA_PLANE, *instants, **numbers)  # type: ignore[arg-type]


def test_a_burst_is_handed_over_when_the_last_of_its_outages_has_ended() -> None:
    cases, _, put = cases_of(40)
    cases.see([began(slot, SECOND_NS) for slot in range(40)])
    cases.see([ended(slot, 3 * SECOND_NS) for slot in range(39)])
    cases.step(5 * SECOND_NS, 0)
    assert not put, "slot 39 is silent yet"
    cases.see([ended(39, 6 * SECOND_NS)])
    cases.step(7 * SECOND_NS, 1)
    assert not put, "something waits to be told"
    cases.step(7 * SECOND_NS, 0)
    (burst,) = put
    assert (len(burst.stories), burst.left_out, burst.events) == (25, 15, ("outage",))
    assert len(burst.stories[0].marks) == 7


def test_what_is_farther_apart_is_in_two_files_and_nothing_waits_for_ever() -> None:
    cases, _, put = cases_of(4)
    cases.see([began(0, SECOND_NS), replace(began(3, SECOND_NS), clock=Clock.NEW_CONNECTIONS)])
    cases.see([Drop(3 * SECOND_NS, "v1", 1, "v1-1-0", DropCause.RESET, "", 1)])
    cases.step(5 * SECOND_NS, 0)
    assert [[story.slot for story in burst.stories] for burst in put] == [[1]]
    assert put[0].events == ("drop by reset",)
    cases.step(SECOND_NS + LONGEST_NS + 1, 5)
    assert [story.slot for story in put[1].stories] == [0]
    cases.see([ended(0, 2 * LONGEST_NS)])
    cases.close()
    assert [[story.slot for story in burst.stories] for burst in put] == [[1], [0], [0]]


def test_own_lateness_alone_is_no_event() -> None:
    cases, _, put = cases_of(2)
    own = replace(ended(0, SECOND_NS), self_inflicted=True)
    cases.see([own, replace(own, slot=-1, clock=Clock.NEW_CONNECTIONS)])
    cases.close()
    assert not put
    cases.see([began(0, 2 * SECOND_NS), replace(own, t_ns=3 * SECOND_NS)])
    cases.step(5 * SECOND_NS, 0)
    (burst,) = put
    assert {mark.words.split(";")[0] for mark in burst.stories[0].marks} >= {"v1-0-0: gap by own lateness"}


def test_what_was_before_stays_although_the_rings_go_on() -> None:
    cases, recorder, put = cases_of(1)
    recorder.unusual(0, SECOND_NS - 1, packet(1))
    cases.see([Drop(SECOND_NS, "v1", 0, "v1-0-0", DropCause.RESET, "", 1)])
    for number in range(20_000):
        recorder.unusual(0, SECOND_NS + number, packet(number))
    cases.close()
    told = next(tell(put[0]))
    assert told.packets[0].t_ns == SECOND_NS - 1


def test_a_story_keeps_what_is_nearest_to_its_marks_and_counts_the_rest() -> None:
    marks = [Mark(50_000, out=False, words="first"), Mark(90_000, out=False, words="second")]
    story = Story(0, marks, ["outage"])
    story.keep(Given(frozenset(Packet(t_ns, packet(t_ns)) for t_ns in range(100_000))))
    other = Story(1, marks, ["outage"], [Given(frozenset({Packet(50_001, packet(3))}))])
    full, few = tell(Burst([story, other], 0, 10**9, heartbeat))
    assert len(few.packets) == 1
    assert few.packets[0].words == "first\nsecond", "of its direction it is the last"
    assert full.left_out + len(full.packets) == 100_000
    assert sum(packet.room_bytes for packet in full.packets) <= 500_000
    assert {p.t_ns: p.words for p in full.packets if p.words} == {50_000: "first", 90_000: "second"}
    farthest = max(min(abs(p.t_ns - 50_000), abs(p.t_ns - 90_000)) for p in full.packets)
    assert abs(len(full.packets) - 4 * farthest) <= 4


def test_of_a_session_that_fails_again_and_again_the_first_and_the_newest_are_kept() -> None:
    story = Story(0)
    kept = [Given(frozenset({Packet(t_ns, packet(1))})) for t_ns in range(20)]
    for part in kept:
        story.keep(part)
    assert story.kept == [*kept[:7], kept[19]]
