"""Makes the records of a run of the demo's experiments of any length and number of sessions. Same arguments, same run.

What each kind of record says, and how many there are of it, is as a recorded run has it; the instants come from a seed.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.path_records import NodesSeen, PathTraced
from core.records import (
    Answer,
    Clock,
    Drop,
    DropCause,
    ExperimentPhase,
    FaultPhase,
    FaultStep,
    Heartbeats,
    KnownBy,
    Opened,
    OutageBegan,
    OutageEnded,
    Outcome,
    ProbeHealth,
    ProbeStarted,
    ProbeStopped,
    Record,
    RunEnded,
    RunStarted,
    Summary,
)
from store.journal import JournalWriter
from store.runs import CONTROLLER, RunDirectory

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
STORY = ("node-failover", "site-failover", "site-failback", "route-withdrawal")
S, MS = 1_000_000_000, 1_000_000
BEGIN_NS = 10_000 * S
WALL_NS = 1_795_600_000 * S
HEARTBEATS_A_SECOND = 200
HISTOGRAM = (0, 0, 0, 0, 0, 0, 6, 15, 210, 2400, 900, 44, 35, 16, *[0] * 10)
HOPS = {"ace1": ("10.255.0.2", "10.1.1.11"), "ace2": ("10.255.0.2", "10.1.1.12"), "ace3": ("10.255.0.6", "10.2.1.11")}
SITE = {"ace1": ("dc1", "N1", "10.1.100.1"), "ace2": ("dc1", "N1", "10.1.100.2"), "ace3": ("dc2", "N2", "10.2.100.1")}


@dataclass
class Synthetic:
    """A run: `sessions` over the four vantages of the lab for `seconds`, the story told `rounds` times."""

    sessions: int = 40
    seconds: int = 60
    rounds: int = 1
    period_ns: int = 100 * MS
    node_outage_s: float = 0.3
    site_outage_s: float = 1.3
    seed: int = 1
    run: str = "synthetic"
    records: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._each = self.sessions // 4
        self._node = {"c1": "ace1", "c2": "ace1", "c3": "ace3", "c4": "ace3"}
        self._restarts: dict[str, list[int]] = {name: [0] * self._each for name in self._node}
        self._begin()
        length_ns = (self.seconds - 10) * S // self.rounds
        for number in range(self.rounds):
            self._story(BEGIN_NS + 8 * S + number * length_ns, length_ns, number)
        self._seconds()
        end_ns = BEGIN_NS + self.seconds * S
        for name in self._node:
            self.records[name].append(ProbeStopped(end_ns - S // 2, name, "lifeline ended"))
        self.records[CONTROLLER].append(RunEnded(end_ns, WALL_NS + self.seconds * S, Outcome.PASSED))
        for mine in self.records.values():
            mine.sort(key=lambda record: record.t_ns)

    @property
    def inventory(self) -> str:
        """The lab's inventory with so many sessions."""
        text = (EXPERIMENTS / "lab.yaml").read_text()
        return text.replace("sessions: 25, period_s: 0.01", f"sessions: {self._each}, period_s: {self.period_ns / S:g}")

    @property
    def experiments(self) -> tuple[str, ...]:
        """The experiments of the demo, once for each round; names of later rounds have its number."""
        texts = []
        for number in range(self.rounds):
            for name in STORY:
                text = (EXPERIMENTS / f"{name}.yaml").read_text()
                texts.append(text.replace(f"name: {name}", f"name: {self._named(name, number)}"))
                if number:
                    texts[-1] = texts[-1].replace("reverts: site-failover", f"reverts: site-failover-{number + 1}")
        return tuple(texts)

    def all(self) -> list[Record]:
        """Every record of the run, in order of time."""
        return sorted((each for mine in self.records.values() for each in mine), key=lambda record: record.t_ns)

    def write(self, directory: Path) -> RunDirectory:
        """Write the journals of the run and return its directory."""
        directory.mkdir(parents=True, exist_ok=True)
        run = RunDirectory(directory)
        for owner, mine in sorted(self.records.items()):
            journal = JournalWriter(run.journal_path(owner), owner)
            for record in mine:
                journal.append(record)
            journal.close()
        return run

    @staticmethod
    def _named(name: str, number: int) -> str:
        return f"{name}-{number + 1}" if number else name

    def _begin(self) -> None:
        started = RunStarted(BEGIN_NS, WALL_NS, self.run, "0.1.0", self.inventory, self.experiments)
        self.records[CONTROLLER].append(started)
        for name in self._node:
            t_ns = BEGIN_NS + S
            self.records[name].append(
                ProbeStarted(t_ns, WALL_NS + S, name, "ring", self._each, self.period_ns, 50 * MS)
            )
            self.records[name].append(Opened(t_ns, name, -2, f"{name}-kernel-0", "10.10.1.2", 35_000, 80_000, 0, True))
            for slot in range(self._each):
                self._open(name, slot, t_ns + (slot + 1) * S // max(1_000, self._each) + int(name[1]))

    def _open(self, name: str, slot: int, t_ns: int) -> None:
        restart = self._restarts[name][slot]
        session = f"{name}-{slot}-{restart}"
        port = 20_000 + slot % 12_000
        self.records[name].append(Opened(t_ns, name, slot, session, "10.10.1.2", port, 345_030, restart))
        self._answers(name, slot, t_ns + 8 * MS, known=False)
        self._traced(name, slot, t_ns + 20 * MS)

    def _traced(self, name: str, slot: int, t_ns: int) -> None:
        session = f"{name}-{slot}-{self._restarts[name][slot]}"
        hops = (f"10.10.{name[1]}.1", *HOPS[self._node[name]])
        self.records[name].append(PathTraced(t_ns, name, slot, session, hops))
        self._answers(name, slot, t_ns + MS // 100, known=True)

    def _answers(self, name: str, slot: int, t_ns: int, known: bool) -> None:
        node = self._node[name]
        site, pool, address = SITE[node]
        session = f"{name}-{slot}-{self._restarts[name][slot]}"
        by = KnownBy.FLOW if known else KnownBy.UNKNOWN
        told = (site, pool, address, "s1", node if known else "", by)
        self.records[name].append(Answer(t_ns, name, slot, session, *told))

    # --- the story ------------------------------------------------------------------------------------------------

    def _story(self, begin_ns: int, length_ns: int, number: int) -> None:
        share = [begin_ns + length_ns * part // 100 for part in (0, 20, 28, 45, 60, 72, 80)]
        names = [self._named(name, number) for name in STORY]
        node, site, back, route = names
        self._faults(node, ("ace1-link", "ace1-keepalived", "ace1-conntrackd"), share[0], share[1])
        self._outage(share[0], round(self.node_outage_s * S), "ace2")
        self._moved(share[1] + 1_500 * MS, "ace1")
        faults = [f"{each}-{what}" for what in ("link", "keepalived", "conntrackd") for each in ("ace1", "ace2")]
        self._faults(site, faults, share[2], share[3], back)
        self._outage(share[2], round(self.site_outage_s * S), "ace3", dropped=True)
        self._reset(share[3] + 3 * S, "ace1")
        self._faults(route, ("r1-rhi",), share[4], share[5])
        self._reset(share[4] + 20 * MS, "ace3")
        self._reset(share[5] + 2 * S, "ace1")

    def _faults(self, name: str, faults: Sequence[str], at_ns: int, until_ns: int, reverter: str = "") -> None:
        put = self.records[CONTROLLER].append
        put(ExperimentPhase(at_ns - 2 * S, name, "gate", "as it was"))
        for fault in faults:
            put(FaultStep(at_ns - 500 * MS, name, fault, f"{name}-lease", FaultPhase.PLANNED, "link at sw1"))
            put(FaultStep(at_ns - 5 * MS, name, fault, f"{name}-lease", FaultPhase.ARMED, "reverted after 30 s", 30.0))
        put(ExperimentPhase(at_ns - MS, name, "inject"))
        for at, fault in enumerate(faults):
            for phase, after_ms in ((FaultPhase.INJECTING, 0), (FaultPhase.INJECTED, 15), (FaultPhase.PROVEN, 260)):
                put(FaultStep(at_ns + (after_ms + 20 * at) * MS, name, fault, f"{name}-lease", phase, "it is down"))
        put(ExperimentPhase(at_ns + 400 * MS, name, "hold", "6 s"))
        runner = reverter or name
        if reverter:
            put(ExperimentPhase(until_ns - 3 * S, name, "done"))
            put(ExperimentPhase(until_ns - 2 * S, reverter, "gate", "as it was"))
        put(ExperimentPhase(until_ns - MS, runner, "revert"))
        steps = ((FaultPhase.REVERTING, 0), (FaultPhase.REVERTED, 90), (FaultPhase.REVERT_PROVEN, 95))
        for at, fault in enumerate(reversed(faults)):
            for phase, after_ms in steps:
                put(FaultStep(until_ns + (after_ms + 100 * at) * MS, name, fault, f"{name}-lease", phase, "it is up"))
        put(ExperimentPhase(until_ns + 1_000 * MS, runner, "settle"))
        put(ExperimentPhase(until_ns + 5_500 * MS, runner, "done"))

    def _hit(self) -> Iterator[tuple[str, int]]:
        for name in ("c1", "c2"):
            for slot in range(self._each):
                yield name, slot

    def _outage(self, at_ns: int, length_ns: int, node: str, dropped: bool = False) -> None:
        """Every session of dc1's vantages is silent, then answered by another node; where it is dropped, reopened."""
        self._node |= {"c1": node, "c2": node}
        for name, slot in self._hit():
            began_ns = at_ns - self._random.randrange(self.period_ns)
            attempts = max(3, -(-(at_ns + length_ns - began_ns) // self.period_ns) - 1)
            s_b_ns = began_ns + (attempts + 1) * self.period_ns
            mine = self.records[name]
            mine.append(OutageBegan(began_ns + 3 * self.period_ns + 60 * MS, name, slot, Clock.DATA_PLANE, began_ns))
            r_b_ns = s_b_ns + 200_000 + self._random.randrange(100_000)
            s_a1_ns = began_ns + self.period_ns
            bounds = (began_ns, began_ns + 210_000, s_a1_ns, s_b_ns - self.period_ns, s_b_ns, r_b_ns)
            plane = (Clock.DATA_PLANE, *bounds, attempts, 0, 2_100_000, False, not dropped, 371_796)
            mine.append(OutageEnded(r_b_ns, name, slot, *plane))
            if slot < HEARTBEATS_A_SECOND:
                tried = [(began_ns + at * self.period_ns, 0) for at in range(1, attempts + 1)]
                around = ((bounds[0], bounds[1]), *tried, (s_b_ns, r_b_ns))
                mine.append(Heartbeats(r_b_ns, name, slot, around))
            if dropped:
                self._again(name, slot, s_b_ns - 40 * MS)
            else:
                self._traced(name, slot, r_b_ns + self._random.randrange(S))
        for name in ("c1", "c2"):
            self._clocks(name, at_ns, length_ns, dropped)

    def _clocks(self, name: str, at_ns: int, length_ns: int, dropped: bool) -> None:
        for slot, clock, step, extra in (
            (-1, Clock.NEW_CONNECTIONS, 50 * MS, 30 * MS),
            (-2, Clock.HELD_KERNEL, 100 * MS, length_ns // 3),
        ):
            a, b = at_ns - step // 2, at_ns + length_ns + extra
            counts = (6, 0, 500_000, False, not dropped, 0)
            bounds = (a, a + 200_000, a + step, b - step, b, b + 200_000)
            self.records[name].append(OutageEnded(b + 200_000, name, slot, clock, *bounds, *counts))

    def _again(self, name: str, slot: int, t_ns: int) -> None:
        session = f"{name}-{slot}-{self._restarts[name][slot]}"
        detail = "reset in ESTABLISHED"
        self.records[name].append(Drop(t_ns, name, slot, session, DropCause.RESET, detail, 18 * S))
        self._restarts[name][slot] += 1
        self._open(name, slot, t_ns + 40 * MS + self._random.randrange(600 * MS))

    def _reset(self, at_ns: int, node: str) -> None:
        """Every session of dc1's vantages is reset and opened again elsewhere, without an outage before."""
        self._node |= {"c1": node, "c2": node}
        for name, slot in self._hit():
            self._again(name, slot, at_ns + self._random.randrange(100 * MS))

    def _moved(self, at_ns: int, node: str) -> None:
        """Every session goes on through another node, and nothing is lost."""
        self._node |= {"c1": node, "c2": node}
        for name, slot in self._hit():
            self._traced(name, slot, at_ns + self._random.randrange(S // 2))

    # --- seconds --------------------------------------------------------------------------------------------------

    def _seconds(self) -> None:
        for name, mine in self.records.items():
            if name == CONTROLLER:
                continue
            told = sorted((r for r in mine if isinstance(r, Answer) and r.node), key=lambda record: record.t_ns)
            self._seconds_of(name, mine, told)

    def _seconds_of(self, name: str, mine: list[Record], told: Sequence[Answer]) -> None:
        at, node = 0, told[0].node
        beats = self._each * S // self.period_ns
        for second in range(2, self.seconds):
            t_ns = BEGIN_NS + second * S
            nodes = {node}
            while at < len(told) and told[at].t_ns <= t_ns:
                node = told[at].node
                nodes.add(node)
                at += 1
            # Summaries split a second in which a move began; where the node is the same, there is one.
            for each in sorted(nodes):
                site, pool, _ = SITE[each]
                sent = beats // len(nodes)
                middle_ns = 200_000 + self._random.randrange(20_000) + (60_000 if each == "ace3" else 0)
                alive = self._each if each == node else 0
                rest = (2_600_000, middle_ns, 3 * middle_ns, HISTOGRAM, 20, 20)
                mine.append(Summary(t_ns, name, site, each, pool, alive, sent, sent, 0, *rest))
            mine.append(NodesSeen(t_ns + MS, name, ((node, self._each),)))
            late = (900_000, 2_300_000, 2_700_000)
            mine.append(ProbeHealth(t_ns, name, 5 * MS, *late, 0, 0, 0, 0, 0, 120 * MS, ()))
