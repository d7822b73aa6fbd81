"""One piece of a fuzz run: packets into a world, batch by batch, and every slot held against the model after each."""

from __future__ import annotations

import logging
import random
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.records import Drop, Opened
from probe.ring.rings import RX_FRAME, Batch
from tests.fuzz import model
from tests.fuzz.frames import KINDS, Made, Maker, passes
from tests.fuzz.model import After, Icmp, Numbers, Tcp
from tests.fuzz.world import PORT, World, as_numbers

WORLDS = ((4, 1), (4, 3), (6, 1), (6, 3))
"""IP version and how many source addresses: chunk n takes number n of them, round about."""
SLOTS = 1_024


class Unexplained(AssertionError):
    """A slot is not as the model says that the packet leaves it."""


@dataclass
class Seen:
    """What a chunk has shown; `kinds` counts packets by kind, `ignored` what was ignored, by reason."""

    packets: int = 0
    refused_by_filter: int = 0
    opened: int = 0
    dropped: int = 0
    moved: int = 0
    answers: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)

    def add(self, other: Seen) -> None:
        """Take in what another chunk has shown."""
        for name, value in vars(other).items():
            if isinstance(value, Counter):
                getattr(self, name).update(value)
            else:
                setattr(self, name, getattr(self, name) + value)


@dataclass
class Expected:
    """What the model says of a batch: slots' results, how many things are ignored, what is to be told of."""

    slots: dict[int, After] = field(default_factory=dict)
    echoes: dict[int, set[int]] = field(default_factory=dict)
    packets: dict[int, bytes] = field(default_factory=dict)
    ignored: int = 0
    fresh: set[int] = field(default_factory=set)

    def echo(self, slot: int, now: Numbers, segment: Tcp) -> None:
        """Note what a segment that came to a slot echoes, if it is near the windows."""
        if now.state == model.OPEN and not model.near(now, segment):
            return
        self.echoes.setdefault(slot, set()).update([segment.stamps[1]] if segment.stamps else [])


class Chunk:
    """`run` plays one piece; the same seed and number play the same packets."""

    def __init__(self, seed: int, number: int) -> None:
        logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
        random.seed(f"{seed}.{number}")
        self._rng = np.random.default_rng([seed, number])
        version, sources = WORLDS[number % len(WORLDS)]
        self.world = World(version, sources, SLOTS)
        self._maker = Maker(self.world, self._rng)
        self._number_of = {source.packed: place for place, source in enumerate(self.world.sources)}
        self.seen = Seen()

    def run(self, packets: int) -> Seen:
        """Play at least so many packets. Raises Unexplained, and whatever the receive side raises."""
        while self.seen.packets < packets:
            self.world.turn(self._rng)
            before = self.world.numbers()
            made = self._maker.make(before)
            through = passes(self.world, made.rows)
            self.seen.refused_by_filter += int((~through).sum())
            expected = Expected()
            kept = [row for row in np.flatnonzero(through).tolist() if self._expect(made, row, before, expected)]
            twice = sorted([*kept, *(row for row in kept if self._rng.random() < 0.05)])
            self._play(made, twice, before, expected)
        return self.seen

    def _expect(self, made: Made, row: int, before: NDArray[np.int64], expected: Expected) -> bool:
        """Add what the model says of a packet; False for a second one to the same slot: their order is not told."""
        packet = made.packet(row)
        found = model.read(packet)
        if found is None:
            return self._expect_headers(model.read(made.headers(row)), before, expected)
        source = self._number_of.get(found.to, -1)
        if isinstance(found, Tcp) and source == 0 and found.port in self.world.fresh_ports:
            expected.fresh.add(found.port)
            return True
        slot = self.world.held.slot_of(source, found.port) if source >= 0 else -1
        if slot < 0:
            expected.ignored += 1
            return True
        if slot in expected.slots:
            return False
        now = as_numbers(before[slot])
        expected.packets[slot] = packet
        if isinstance(found, Icmp):
            expected.slots[slot] = self._icmp(slot, now, found)
        else:
            expected.slots[slot] = model.after_tcp(now, found)
            expected.echo(slot, now, found)
        return True

    def _expect_headers(self, found: Tcp | Icmp | None, before: NDArray[np.int64], expected: Expected) -> bool:
        """What is damaged does nothing; but where only the end of a segment is lost, its stamps may answer."""
        expected.ignored += 1
        if isinstance(found, Tcp) and found.to in self._number_of:
            slot = self.world.held.slot_of(self._number_of[found.to], found.port)
            if slot >= 0:
                expected.echo(slot, as_numbers(before[slot]), found)
        return True

    def _icmp(self, slot: int, now: Numbers, error: Icmp) -> After:
        world = self.world
        if error.vip != world.vip.packed or error.vip_port != PORT:
            return After(now, 1)
        if error.exceeded:
            trace = world.traces._open.get(slot)
            ours = trace is not None and (trace.seq, trace.number) == (error.seq, error.mark >> 4)
            return After(now, 0 if ours and 1 <= error.mark & 15 <= 4 else 1)
        return model.after_icmp(now, error)

    def _play(self, made: Made, kept: list[int], before: NDArray[np.int64], expected: Expected) -> None:
        world = self.world
        ignored = Counter(world.visits.ignored)
        answered, sent = world.gaps.answered_revolution.copy(), world.gaps.last_sent.copy()
        fresh = world.fresh.answered
        rows = made.rows[kept].reshape(-1, RX_FRAME)
        copies = [made.copies[row] for row in kept]
        copied = np.array([bool(copy) for copy in copies], np.bool_)
        r_ns = world.now_ns + np.arange(len(kept), dtype=np.int64)
        world.receive(Batch(rows, r_ns, copied), [copy for copy in copies if copy])
        after = world.numbers()
        self._compare(before, after, expected)
        self._compare_answers(answered, sent, before, expected)
        if world.fresh.answered - fresh > len(expected.fresh):
            raise Unexplained("more SYNs were answered than had packets")
        grown = Counter(world.visits.ignored)
        grown.subtract(ignored)
        self.seen.packets += len(kept)
        self.seen.ignored.update(+grown)
        self.seen.kinds.update(KINDS[kind] for kind in made.kinds[kept].tolist())
        self.seen.moved += int((before[:, 1:4] != after[:, 1:4]).any(axis=1).sum())
        self._compare_counts(expected, sum(grown.values()), len(kept) - len(set(kept)))

    def _compare(self, before: NDArray[np.int64], after: NDArray[np.int64], expected: Expected) -> None:
        """Every slot is as its packet leaves it, and as it was where there was none."""
        others = np.ones(len(before), np.bool_)
        others[list(expected.slots)] = False
        changed = np.flatnonzero((before != after).any(axis=1) & others)
        if len(changed):
            raise Unexplained(f"slots {changed[:5]} changed without a packet: {before[changed[0]]} {after[changed[0]]}")
        for slot, result in expected.slots.items():
            found = as_numbers(after[slot])
            if found != result.numbers:
                raise Unexplained(
                    f"slot {slot}: {as_numbers(before[slot])} became {found}, not {result.numbers}; "
                    f"packet {expected.packets[slot][:120].hex()}"
                )

    def _compare_answers(
        self, answered: NDArray[np.int64], sent: NDArray[np.int64], before: NDArray[np.int64], expected: Expected
    ) -> None:
        """An answer is noted only for an attempt that was sent, which the packet echoes, of a slot that got one."""
        world = self.world
        for slot in np.flatnonzero(world.gaps.answered_revolution != answered).tolist():
            revolution = int(world.gaps.answered_revolution[slot])
            stamped = before[slot, 4] != -1 or before[slot, 0] == model.SYN_SENT
            echoed = not stamped or revolution in expected.echoes.get(slot, set()) or revolution == sent[slot]
            was_sent = (
                answered[slot] < revolution <= sent[slot]
                and world.turns.instants(np.array([slot]), np.array([revolution]))[0] >= 0
            )
            if slot not in expected.echoes or not echoed or not was_sent:
                raise Unexplained(
                    f"slot {slot}, {as_numbers(before[slot])}: attempt {revolution} counts as answered; sent "
                    f"{sent[slot]}; packet {expected.packets.get(slot, b'')[:120].hex()}"
                )
            self.seen.answers += 1

    def _compare_counts(self, expected: Expected, ignored: int, twice: int) -> None:
        """What may not act is counted; drops and opened sessions are told of, each once. (Some packets come twice.)"""
        least = expected.ignored + sum(result.ignored for result in expected.slots.values())
        if not least <= ignored <= least + twice:
            raise Unexplained(f"{ignored} things were ignored, of {least} and {twice} that came twice")
        for what, kind, wanted in (
            ("drops", Drop, sum(result.drops for result in expected.slots.values())),
            ("opened sessions", Opened, sum(result.opens for result in expected.slots.values())),
        ):
            found = sum(isinstance(record, kind) for record in self.world.records)
            if found != wanted:
                raise Unexplained(f"{found} {what} are told of, of {wanted}")
        self.seen.dropped += sum(result.drops for result in expected.slots.values())
        self.seen.opened += sum(result.opens for result in expected.slots.values())
        self.world.records.clear()
