"""What is recognised where nobody moves: from histories of a few records, each name and what it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from core.changes import changes
from core.names import Name
from core.records import Answer, Clock, DropCause, Note, OutageBegan, ProbeStarted, Record, Summary
from tests.core.test_changes import LAB, MS, S, answer, drop, moved, opened, outage, seen, start, the

AT = 10 * S
SLOTS = range(8)


def began(slot: int, last_ns: int, clock: Clock = Clock.DATA_PLANE) -> OutageBegan:
    return OutageBegan(last_ns + 100 * MS, "c1", slot, clock, last_ns)


def new(from_ns: int, until_ns: int) -> Record:
    return replace(outage(-1, from_ns, until_ns), clock=Clock.NEW_CONNECTIONS)


def seconds(answered: float = 1, syn_answered: int = 20, refused: int = 0, until_s: int = 16) -> list[Record]:
    """A summary a second; from `AT` on this share of heartbeats, and so many of 20 SYNs, are answered."""
    found: list[Record] = []
    for second in range(1, until_s + 1):
        told = (int(800 * answered), 20, syn_answered, refused) if second * S > AT else (800, 20, 20, 0)
        found.append(Summary(second * S, "c1", "dc1", "ace1", "N1", 8, 800, told[0], 0, 0, 1, 1, (0,), *told[1:]))
    return found


def names(records: Sequence[Record], cuts: Sequence[int] = ()) -> tuple[Name, ...]:
    return the(records, cuts).names


def again(slots: Sequence[int], t_ns: int = AT) -> list[Record]:
    """Sessions that were reset and opened again in the same place."""
    found: list[Record] = []
    for slot in slots:
        found += [drop(t_ns, slot), opened(t_ns + MS, slot, 1), answer(t_ns + 2 * MS, slot, "ace1", restart=1)]
    return found


def test_sessions_reset_where_new_ones_are_served_are_a_table_that_was_lost() -> None:
    found = the([*start(), *again(SLOTS)])
    assert (found.names, found.sessions, found.of, found.survived) == ((Name.HELD_RESET,), 8, 8, 0)


def test_sessions_reset_where_new_ones_are_refused() -> None:
    records = [*start(), *(drop(AT, slot) for slot in SLOTS), new(AT, 14 * S), *seconds(0, 0, 20)]
    assert names(records) == (Name.REFUSED,)
    assert names([*start(), *(drop(AT, slot) for slot in SLOTS), new(AT, 14 * S), *seconds(0, 0)]) == (Name.NO_ANSWERS,)


def test_what_icmp_ends_is_unreachable() -> None:
    assert names([*start(), *(drop(AT, slot, cause=DropCause.ICMP) for slot in SLOTS)]) == (Name.UNREACHABLE,)


def test_silence_of_all_is_told_by_how_it_ends_and_by_new_sessions() -> None:
    silent = [*start(), *(began(slot, AT) for slot in SLOTS)]
    dark = [*silent, began(-1, AT, Clock.NEW_CONNECTIONS), *seconds(0, 0)]
    assert names(dark) == (Name.NO_ANSWERS,)
    assert names([*silent, *seconds(0)]) == (Name.HELD_SILENT,)
    assert names([*start(), *(outage(slot, AT, 11 * S) for slot in SLOTS), *seconds()]) == (Name.STALLED,)


def test_some_sessions_silent() -> None:
    assert names([*start(), *(began(slot, AT) for slot in range(3)), *seconds(0.6)]) == (Name.SOME_SILENT,)


def test_one_session_or_a_short_silence_of_few_is_nothing() -> None:
    assert changes([*start(), began(0, AT), *seconds()], LAB) == ()
    assert changes([*start(), drop(AT, 0), *seconds()], LAB) == ()
    assert changes([*start(40), *(outage(slot, AT, AT + 100 * MS) for slot in range(3)), *seconds()], LAB) == ()
    assert changes([*start(), new(AT, AT + 200 * MS), *seconds()], LAB) == ()


def test_a_short_silence_while_the_probe_is_late_may_be_its_own() -> None:
    late = [
        replace(record, skipped=80) if isinstance(record, Summary) and record.t_ns == 11 * S else record
        for record in seconds()
    ]
    short = [*start(), new(AT, 11 * S), *(outage(slot, AT, 11 * S) for slot in SLOTS)]
    assert names([*short, *seconds()]) == (Name.STALLED,)
    assert changes([*short, *late], LAB) == ()
    assert names([*start(), *(outage(slot, AT, 13 * S) for slot in SLOTS), *late]) == (Name.STALLED,)
    long = [*start(), *(outage(slot, AT, AT + 1900 * MS) for slot in SLOTS), *late]
    assert names(long) == (Name.STALLED,), "the rest of it was no late second"


def test_a_begin_that_is_noticed_after_its_end_is_over() -> None:
    """A probe that is late: the answer has the kernel's stamp, the begin the instant at which it was noticed."""
    short = [new(AT, AT + 200 * MS), replace(began(-1, AT, Clock.NEW_CONNECTIONS), t_ns=AT + 300 * MS)]
    assert changes([*start(), *short, *seconds()], LAB) == ()
    held: list[Record] = []
    for slot in (0, 1):
        held += [outage(slot, AT, AT + 200 * MS), replace(began(slot, AT), t_ns=AT + 300 * MS)]
    assert changes([*start(40), *held, *seconds()], LAB) == ()


def test_what_nobody_has_looked_at_any_more_is_no_silence() -> None:
    late = Note(60 * S, "controller", "read the captures")
    last = 16 * S - 200 * MS
    assert changes([*start(), began(-1, last, Clock.NEW_CONNECTIONS), *seconds(), late], LAB) == ()


def by_two_servers(count: int = 12) -> list[Record]:
    return [replace(answer(S, slot, "ace1"), server="s1" if slot % 2 else "s2") for slot in range(count)]


def test_sessions_of_one_server_only() -> None:
    hit = range(1, 12, 2)
    found = the([*by_two_servers(), *(began(slot, AT) for slot in hit), *seconds(0.5)])
    assert (found.names, found.before, found.sessions, found.of) == ((Name.ONE_SERVER,), "s1", 6, 12)
    assert names([*by_two_servers(), *(began(slot, AT) for slot in range(6))]) == (Name.SOME_SILENT,), "of both"
    restarted = [replace(record, server="s2") if isinstance(record, Answer) else record for record in again(hit)]
    assert names([*by_two_servers(), *restarted]) == (Name.ONE_SERVER,)


@pytest.mark.parametrize(
    ("answered", "refused", "name"),
    [(0, 0, Name.NEW_SILENT), (0, 20, Name.NEW_REFUSED), (12, 0, Name.NEW_PARTLY), (12, 8, Name.NEW_PARTLY)],
)
def test_new_sessions_alone(answered: int, refused: int, name: Name) -> None:
    found = the([*start(), new(AT, 14 * S), *seconds(1, answered, refused)])
    assert (found.names, found.survived) == ((name,), 8)
    assert f"{refused} refused" in found.why or refused


def test_packets_lost_at_random() -> None:
    short = [outage(slot, AT + slot * 300 * MS, AT + slot * 300 * MS + 60 * MS) for slot in SLOTS]
    assert names([*start(), *short, *seconds(0.8)]) == (Name.LOSS,)
    assert names([*start(), *seconds(0.8)]) == (Name.LOSS,), "also where no three in a row were lost"
    assert changes([*start(), *seconds(0.8, until_s=12)], LAB) == (), "two seconds are too few to tell"
    assert changes([*start(), *seconds(0.99)], LAB) == ()


def test_what_a_move_explains_is_told_as_the_move_alone() -> None:
    stalled = [outage(slot, AT, 11 * S) for slot in SLOTS]
    taken = [answer(11 * S, slot, "ace2") for slot in SLOTS]
    assert names([*start(), *stalled, *taken, new(AT, 11 * S), seen(13 * S, ace2=8)]) == (Name.NODE_FAILOVER,)


def test_a_failover_that_resets_every_session_lost_them() -> None:
    assert names([*start(), *moved(SLOTS, AT, "ace2", "N1"), seen(13 * S, ace2=8)]) == (Name.FAILOVER_WITHOUT_STATE,)


def test_a_silence_belongs_to_the_fault_before_whose_next_heartbeat_it_began() -> None:
    records = [*start(), *(began(slot, AT - 5 * MS) for slot in SLOTS), *seconds(0)]
    assert the(records, [AT]).first_ns == AT
    assert the(records, [11 * S]).first_ns == AT - 5 * MS
    ended: list[Record] = [*start(), *(outage(slot, AT - 5 * MS, 12 * S) for slot in SLOTS), *seconds()]
    assert the(ended, [AT, 11 * S]).names == (Name.HELD_SILENT,), "it lasted until the next one"


def asked(from_ns: int, until_ns: int) -> Record:
    return replace(outage(8, from_ns, until_ns), clock=Clock.HELD_KERNEL)


def test_an_application_that_hangs_behind_a_kernel_that_answers() -> None:
    assert names([*start(), asked(AT, 14 * S), *seconds()]) == (Name.APPLICATION_SILENT,)
    assert names([*start(), began(8, AT, Clock.HELD_KERNEL), *seconds()]) == (Name.APPLICATION_SILENT,)
    assert changes([*start(), asked(AT, 11 * S), *seconds()], LAB) == (), "one retransmission"
    stalled = [outage(slot, AT, 11 * S) for slot in SLOTS]
    assert names([*start(), *stalled, asked(AT, 14 * S), *seconds()]) == (Name.STALLED,), "the path was silent as well"


def test_where_all_sessions_are_on_sockets_theirs_are_the_silences() -> None:
    by_sockets = ProbeStarted(S, 0, "c1", "socket", 8, 100 * MS, 50 * MS)
    silent = [began(slot, AT, Clock.HELD_KERNEL) for slot in SLOTS]
    assert names([by_sockets, *start(), *silent, *seconds()]) == (Name.HELD_SILENT,)
