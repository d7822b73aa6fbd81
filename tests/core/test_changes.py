"""Changes recognised in histories of a few records: each name, what it is not, and what cannot be told apart."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.changes import changes
from core.loader import load_inventory
from core.names import Change, Name
from core.path_records import NodesSeen, PathTraced
from core.records import Answer, Clock, Drop, DropCause, KnownBy, Opened, OutageBegan, OutageEnded, Record

LAB = load_inventory(Path(__file__).resolve().parents[2] / "experiments" / "lab.yaml")
S = 1_000_000_000
MS = 1_000_000
SITES = {"ace1": "dc1", "ace2": "dc1", "ace3": "dc2", "ace4": "dc2", "": ""}
POOLS = {"N1": "dc1", "N2": "dc2", "": ""}
ADDRESS = {"ace1": "10.1.1.11", "ace2": "10.1.1.12", "ace3": "10.2.1.11"}


def answer(t_ns: int, slot: int, node: str, pool: str = "N1", restart: int = 0, vantage: str = "c1") -> Answer:
    site = SITES[node] or POOLS[pool]
    known = KnownBy.FLOW if node else KnownBy.UNKNOWN
    return Answer(t_ns, vantage, slot, f"{vantage}-{slot}-{restart}", site, pool, "10.0.0.1", "s1", node, known)


def drop(t_ns: int, slot: int, restart: int = 0, cause: DropCause = DropCause.RESET, age_ns: int = 9 * S) -> Drop:
    return Drop(t_ns, "c1", slot, f"c1-{slot}-{restart}", cause, "", age_ns)


def opened(t_ns: int, slot: int, restart: int) -> Opened:
    return Opened(t_ns, "c1", slot, f"c1-{slot}-{restart}", "10.10.1.2", 20_000, MS, restart)


def outage(slot: int, from_ns: int, until_ns: int) -> OutageEnded:
    step = 10 * MS
    return OutageEnded(
        until_ns + MS, "c1", slot, Clock.DATA_PLANE, from_ns, from_ns, from_ns + step, until_ns - step, until_ns,
        until_ns + MS, 9, 0, 0, False, True,
    )  # fmt: skip


def seen(t_ns: int, vantage: str = "c1", **nodes: int) -> NodesSeen:
    return NodesSeen(t_ns, vantage, tuple(sorted(nodes.items())))


def traced(
    t_ns: int, slot: int, *hops: str, also: tuple[tuple[int, str], ...] = (), silent: bool = False
) -> PathTraced:
    return PathTraced(t_ns, "c1", slot, f"c1-{slot}-0", hops, also, silent)


def start(count: int = 8, node: str = "ace1", vantage: str = "c1") -> list[Record]:
    return [answer(S, slot, node, vantage=vantage) for slot in range(count)]


def moved(slots: Sequence[int], t_ns: int, node: str, pool: str, restart: int = 1) -> list[Record]:
    """Sessions that were reset at `t_ns` and begun anew: their pool is known first, their node when they are traced."""
    found: list[Record] = []
    for slot in slots:
        found += [drop(t_ns, slot, restart - 1), opened(t_ns + MS, slot, restart)]
        found.append(answer(t_ns + 2 * MS, slot, "", pool, restart))
        found += [answer(t_ns + 50 * MS, slot, node, pool, restart)] if node else []
    return found


def the(records: Sequence[Record], cuts: Sequence[int] = ()) -> Change:
    (found,) = changes(records, LAB, cuts)
    return found


def test_a_node_failover_takes_all_and_leaves_nobody() -> None:
    records = [*start(), *(answer(10 * S, slot, "ace2") for slot in range(8)), seen(12 * S, ace2=8)]
    found = the(records)
    assert found == Change(
        "c1", (Name.NODE_FAILOVER,), "dc1", "ace1", "ace2", 8, 8, 8, 10 * S, 10 * S, (10 * S,) * 8,
        "ace1 answers nobody any more",
    )  # fmt: skip
    assert found.certain


def test_a_share_that_moves_is_a_rehash_if_the_old_node_goes_on() -> None:
    share: list[Record] = [*start(), *(answer(10 * S, slot, "ace2") for slot in range(0, 8, 2))]
    found = the([*share, seen(12 * S, ace1=4, ace2=4)])
    assert found.names == (Name.REHASHED,)
    assert (found.sessions, found.of, found.survived) == (4, 8, 4)
    unseen = the([*share, seen(9 * S, ace1=8), seen(12 * S, ace2=4)])
    assert unseen.names == (Name.NODE_FAILOVER, Name.REHASHED), "nobody has looked at the others since"
    assert not unseen.certain


def test_a_node_that_answers_another_vantage_has_not_failed() -> None:
    all_moved: list[Record] = [*start(), *(answer(10 * S, slot, "ace2") for slot in range(8))]
    other = [*start(vantage="c2"), seen(12 * S, "c2", ace1=8)]
    assert the([*all_moved, *other]).names == (Name.REHASHED,)
    # The other vantage may learn of a failback first: what it sees then says nothing of the failover.
    back: list[Record] = [answer(20 * S, slot, "ace1") for slot in range(8)]
    later = [*start(vantage="c2"), answer(10 * S, 0, "ace2", vantage="c2"), seen(20 * S - 300 * MS, "c2", ace1=1)]
    first = next(change for change in changes([*all_moved, *back, *later], LAB) if change.vantage == "c1")
    assert first.names == (Name.NODE_FAILOVER,)


def test_few_sessions_may_have_moved_by_chance() -> None:
    assert the([*start(2), *(answer(10 * S, slot, "ace2") for slot in (0, 1))]).names == (
        Name.NODE_FAILOVER,
        Name.REHASHED,
    )


def test_back_to_where_it_was_is_a_failback() -> None:
    records = start()
    for t_ns, node in ((10 * S, "ace2"), (12 * S, "ace1")):
        records += [answer(t_ns, slot, node) for slot in range(8)]
    assert [change.names for change in changes(records, LAB)] == [(Name.NODE_FAILOVER,), (Name.NODE_FAILBACK,)]
    sites = [*start(), *moved(range(8), 10 * S, "ace3", "N2"), *moved(range(8), 30 * S, "ace1", "N1", 2)]
    first, second = changes(sites, LAB)
    assert (second.names, second.before, second.after) == ((Name.SITE_FAILBACK,), "dc2", "dc1")
    assert (first.before, first.after) == ("dc1", "dc2")
    third = changes([*sites, *moved(range(8), 50 * S, "ace3", "N2", 3)], LAB)[-1]
    assert third.names == (Name.WITHDRAWAL,), "it fails over again: home is where it began"


def test_a_site_left_by_resets_and_no_outage_was_alive() -> None:
    records = [*start(), *moved(range(8), 10 * S, "ace3", "N2")]
    assert the(records).names == (Name.WITHDRAWAL,)
    assert the(records).survived == 0
    stalled = [*records, *(outage(slot, 9 * S, 10 * S + MS) for slot in range(8))]
    assert the(stalled).names == (Name.SITE_FAILOVER, Name.WITHDRAWAL)
    elsewhere = [*stalled, *start(vantage="c2"), seen(12 * S, "c2", ace1=8)]
    assert the(elsewhere).names == (Name.WITHDRAWAL,), "another vantage is answered by the site"
    some = [*start(), *moved(range(4), 10 * S, "ace3", "N2"), seen(12 * S, ace1=4, ace3=4)]
    assert the(some).names == (Name.SITE_MOVED,)


def test_the_pool_changed_and_the_node_did_not() -> None:
    records = [*start(), *moved(range(8), 10 * S, "ace1", "N2"), seen(14 * S, ace1=8)]
    pool, odd = sorted(changes(records, LAB), key=lambda change: change.names)
    assert (pool.names, pool.site, pool.before, pool.after) == ((Name.NAT_POOL_CHANGED,), "dc1", "N1", "N2")
    assert (odd.names, odd.before, odd.sessions) == ((Name.ASYMMETRIC,), "dc1's ace1 with N2", 8)
    assert odd.first_ns == pool.first_ns == 10 * S + 2 * MS


def test_a_path_that_is_seen_before_the_pool_is_asked_again_is_no_asymmetry() -> None:
    """Back at dc1, whose node the path shows at once; the pool is the old one until the next question."""
    away = [*start(), *moved(range(8), 10 * S, "ace3", "N2")]
    on_the_way: list[Record] = [answer(20 * S, slot, "ace1", "N2", 1) for slot in range(8)]
    there: list[Record] = [answer(20 * S + 900 * MS, slot, "ace1", "N1", 1) for slot in range(8)]
    later = [seen(40 * S, ace1=8)]
    assert Name.ASYMMETRIC not in {
        name for change in changes([*away, *on_the_way, *there, *later], LAB) for name in change.names
    }
    stays = [change for change in changes([*away, *on_the_way, *later], LAB) if Name.ASYMMETRIC in change.names]
    assert [(change.first_ns, change.sessions) for change in stays] == [(20 * S, 8)]
    gone: list[Record] = [drop(21 * S, slot, 1) for slot in range(8)]
    found = changes([*away, *on_the_way, *gone, *later], LAB)
    assert Name.ASYMMETRIC not in {name for change in found for name in change.names}


def test_a_pool_alone_does_not_tell_the_site() -> None:
    hidden: list[Record] = [answer(S, slot, "", "N1") for slot in range(8)]
    found = the([*hidden, *moved(range(8), 10 * S, "", "N2")])
    assert found.names == (Name.WITHDRAWAL, Name.NAT_POOL_CHANGED)
    mixed = [*start(), *moved(range(6), 10 * S, "ace3", "N2"), *moved([6, 7], 10 * S, "", "N2")]
    joined = the(mixed)
    assert (joined.names, joined.sessions) == ((Name.WITHDRAWAL,), 8)
    assert joined.why == "2 of them by their NAT pool alone"


def test_an_address_of_no_pool_is_another_pool() -> None:
    odd = [Answer(10 * S, "c1", s, f"c1-{s}-0", "dc1", "", "192.0.2.1", "s1", "ace1", KnownBy.FLOW) for s in range(8)]
    found = the([*start(), *odd])
    assert (found.names, found.before, found.after) == ((Name.NAT_POOL_CHANGED,), "N1", "no pool")


def test_what_becomes_known_is_no_change() -> None:
    first: list[Record] = [answer(S, 0, ""), answer(2 * S, 0, "ace1")]
    assert changes(first, LAB) == ()
    again: list[Record] = [
        answer(S, 0, "ace1"),
        drop(2 * S, 0),
        opened(2 * S + 1, 0, 1),
        answer(3 * S, 0, "ace1", restart=1),
    ]
    assert changes(again, LAB) == ()


def test_two_routers_at_one_ttl_are_packets_balanced() -> None:
    also = ((3, ADDRESS["ace3"]),)
    two = [traced(t_ns, 1, "10.10.1.1", "r1", ADDRESS["ace1"], also=also) for t_ns in (10 * S, 11 * S)]
    moves: list[Record] = [answer(10 * S, slot, "ace3", "N2") for slot in range(3)]
    found = the([*start(), *two, *moves])
    assert (found.names, found.before) == ((Name.BALANCED_SITES,), "dc1, dc2")
    assert changes([*start(), two[0]], LAB) == (), "one trace may have met a change of route"
    inside = [traced(t_ns, 1, "a1", ADDRESS["ace1"], also=((2, ADDRESS["ace2"]),)) for t_ns in (10 * S, 11 * S)]
    assert the([*start(), *inside]).names == (Name.BALANCED_INSIDE,)
    routers = [traced(t_ns, 1, "a1", "r1", also=((2, "r2"),)) for t_ns in (10 * S, 11 * S)]
    found = the([*start(), *routers])
    assert (found.names, found.before) == ((Name.BALANCED_SITES, Name.BALANCED_INSIDE), "r1, r2")


def test_a_session_that_goes_to_and_fro_is_balanced() -> None:
    flips = [answer((10 + n) * S, 0, node, pool) for n, (node, pool) in enumerate([("ace3", "N2"), ("ace1", "N1")] * 2)]
    found = the([*start(), *flips])
    assert (found.names, found.before, found.sessions) == ((Name.BALANCED_SITES,), "dc1, dc2", 1)
    once = changes([*start(), *flips[:2]], LAB)
    assert Name.BALANCED_SITES not in {name for change in once for name in change.names}
    paths = [traced((10 + n) * S, 0, "a1", router) for n, router in enumerate(["r1", "r2"] * 3)]
    assert the(paths).names == (Name.BALANCED_SITES, Name.BALANCED_INSIDE)


def test_sessions_reset_at_once_may_be_balanced() -> None:
    loop: list[Record] = []
    for number in range(1, 6):
        loop += [opened(10 * S + number * MS, 0, number), drop(10 * S + (number + 1) * MS, 0, number, age_ns=MS)]
    found = the([*start(), *loop])
    assert (found.names, found.survived) == ((Name.BALANCED_SITES, Name.RESET_AT_ONCE), 0)
    path = PathTraced(10 * S, "c1", 0, "c1-0-3", ("a1", ADDRESS["ace1"]), ((2, ADDRESS["ace3"]),))
    proven = the([*start(), *loop, path])
    assert (proven.names, proven.before) == ((Name.BALANCED_SITES,), "dc1, dc2")
    assert proven.why == "5 sessions were reset within a second of their handshake"
    assert changes([*start(), *loop[:4]], LAB) == (), "twice is no loop"


def test_gray_is_a_node_that_shows_itself_and_nobody_answers() -> None:
    reached = traced(11 * S, 0, "a1", ADDRESS["ace1"], silent=True)
    found = the([*start(), reached, outage(0, 10 * S, 13 * S)])
    assert (found.names, found.before, found.survived) == ((Name.GRAY,), "ace1", 1)
    lasting = OutageBegan(11 * S, "c1", 0, Clock.DATA_PLANE, 10 * S)
    assert the([*start(), lasting, reached]).names == (Name.GRAY,)
    for other in (
        traced(11 * S, 0, "a1", silent=True),
        traced(11 * S, 0, "a1", ADDRESS["ace2"], silent=True),
        traced(12_995 * MS, 0, "a1", ADDRESS["ace1"], silent=True),
    ):
        assert changes([*start(), other, outage(0, 10 * S, 13 * S)], LAB) == ()


@pytest.mark.parametrize("cut_s", [None, 11])
def test_a_cut_parts_what_time_does_not(cut_s: int | None) -> None:
    records = [*start(), *(answer(10 * S, slot, "ace2") for slot in range(5))]
    records += [answer(12 * S, slot, "ace2") for slot in range(5, 8)]
    assert len(changes(records, LAB, [cut_s * S] if cut_s else [])) == (2 if cut_s else 1)


INSTANTS = st.integers(0, 12).map(lambda n: n * S)
SLOTS = st.integers(0, 2)
HOPS = st.sampled_from(["", "a1", "r1", "r2", "nonsense", *ADDRESS.values()])
NODES = st.sampled_from(["", "ace1", "ace2", "ace3", "ace9"])
COUNTS = st.lists(st.tuples(NODES, st.just(1)), max_size=2).map(tuple)
RECORDS = st.one_of(
    st.builds(
        Answer, INSTANTS, st.sampled_from(["c1", "c2"]), SLOTS, st.sampled_from(["a", "b"]),
        st.sampled_from(["", "dc1", "dc2", "dc9"]), st.sampled_from(["", "N1", "N2", "N9"]),
        st.sampled_from(["", "10.1.100.1"]), st.just("s1"), NODES, st.just(KnownBy.FLOW),
    ),
    st.builds(
        PathTraced, INSTANTS, st.just("c1"), SLOTS, st.sampled_from(["a", "b"]), st.lists(HOPS, max_size=4).map(tuple),
        st.lists(st.tuples(st.integers(-1, 5), HOPS), max_size=2).map(tuple), st.booleans(),
    ),
    st.builds(
        NodesSeen, INSTANTS, st.sampled_from(["c1", "c2"]), COUNTS
    ),
    st.builds(
        Drop, INSTANTS, st.just("c1"), SLOTS, st.sampled_from(["a", "b"]), st.sampled_from(DropCause), st.just(""),
        st.sampled_from([0, 9 * S]), st.booleans(),
    ),
    st.builds(Opened, INSTANTS, st.just("c1"), SLOTS, st.just("a"), st.just("x"), st.just(1), st.just(1), st.just(1)),
    st.builds(OutageBegan, INSTANTS, st.just("c1"), SLOTS, st.sampled_from(Clock), INSTANTS),
    st.builds(
        OutageEnded, INSTANTS, st.just("c1"), SLOTS, st.sampled_from(Clock), INSTANTS, INSTANTS, INSTANTS, INSTANTS,
        INSTANTS, INSTANTS, st.just(3), st.just(0), st.just(0), st.booleans(), st.booleans(),
    ),
)  # fmt: skip


@given(st.lists(RECORDS, max_size=30), st.lists(INSTANTS, max_size=2), st.randoms(use_true_random=False))
def test_any_records_in_any_order_say_the_same(records: list[Record], cuts: list[int], chance: random.Random) -> None:
    found = changes(records, LAB, cuts)
    for change in found:
        assert change.names
        assert 0 < change.sessions <= change.of
        assert 0 <= change.survived <= change.sessions
        assert change.first_ns <= change.last_ns
        assert change.evidence
    shuffled = records[:]
    chance.shuffle(shuffled)
    assert changes(shuffled, LAB, cuts) == found
