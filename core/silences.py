"""Names what happens where nobody moves: sessions silent, reset or lost, new ones refused; all, some, one server's."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from core.moves import MANY, SECOND_NS, Scene
from core.names import SHOWN, TOGETHER_NS, Change, Name, bursts
from core.quiet import Quiet, Second
from core.records import DropCause
from core.stays import Outage

ALL = 0.9
"""So large a share of the sessions that were known is all of them: one may just have been opened."""
FEW = 0.1
NEW, LOSSY, ASKED = -1, -2, -3
"""In the place of a slot: new connections, a second in which heartbeats were lost, the session on a socket."""
LASTING_NS = SECOND_NS
"""A silence of a few sessions that is shorter is loss, or the probe's own machine."""
NEW_NS = 400_000_000
"""The same of new connections: eight SYNs in a row."""
NEXT_NS = 100_000_000
"""The next attempt is sent within this: fresh SYNs are 50 ms apart."""
UNANSWERED_NS = 2 * SECOND_NS
"""A silence of the one session on a socket that is shorter may be a segment that was lost, and its retransmission."""
OWN_NS = 2 * SECOND_NS
LOST = (0.03, 0.97)
LOSSY_SECONDS = 3


class _Trouble(NamedTuple):
    """A silence of a slot, or of what stands in its place, from its last answer on; or a session's end by `cause`."""

    t_ns: int
    until_ns: int | None
    slot: int
    cause: DropCause | None


def silences(scene: Scene, quiet: Quiet, named: Sequence[Change]) -> list[Change]:
    """Return the changes at a vantage that are no move; what `named` explains is told as that alone."""
    found = []
    together = bursts(_troubles(scene, quiet), scene.cuts)
    for number, burst in enumerate(together):
        next_ns = together[number + 1][0].t_ns if number + 1 < len(together) else scene.end_ns + 1
        end_ns = min([next_ns, *(cut_ns for cut_ns in scene.cuts if cut_ns > burst[0].t_ns)])
        episode = _Episode(scene, quiet, burst, end_ns)
        if any(_explains(change, episode) for change in named):
            continue
        name = _name(episode)
        if name is not None:
            found.append(episode.change(name))
    return found


def _troubles(scene: Scene, quiet: Quiet) -> list[_Trouble]:
    found = [_silence(scene, gap, NEW) for gap in quiet.new]
    found += [_silence(scene, gap, ASKED) for _, gap in quiet.asked]
    found += [_silence(scene, gap, slot) for slot, gap in quiet.held]
    for number, slot in scene.history.slots.items():
        found += [_silence(scene, gap, number) for gap in slot.outages]
        found += [_Trouble(drop.t_ns, drop.t_ns, number, drop.cause) for drop in slot.drops]
    found += [_Trouble(second.t_ns, second.t_ns, LOSSY, None) for second in _lossy(quiet.seconds)]
    return [trouble for trouble in found if not _own(trouble, quiet)]


def _own(trouble: _Trouble, quiet: Quiet) -> bool:
    """Whether it is a short silence that the probe's own lateness may explain."""
    if trouble.cause is not None or trouble.until_ns is None or trouble.until_ns - trouble.t_ns > OWN_NS:
        return False
    late_ns = quiet.late(trouble.t_ns, trouble.until_ns) * SECOND_NS
    return late_ns > 0 and trouble.until_ns - trouble.t_ns - late_ns < NEW_NS


def _silence(scene: Scene, gap: Outage, slot: int) -> _Trouble:
    """Return a silence: it began after its last answer, so after a cut that came just then."""
    at = bisect_right(scene.cuts, gap.from_ns)
    cut_ns = scene.cuts[at] if at < len(scene.cuts) else gap.from_ns
    began_ns = cut_ns if cut_ns - gap.from_ns <= NEXT_NS and (gap.until_ns is None or cut_ns < gap.until_ns) else 0
    return _Trouble(began_ns or gap.from_ns, gap.until_ns, slot, None)


def _lossy(seconds: Sequence[Second]) -> Iterator[Second]:
    """Yield the seconds of runs in which heartbeats are lost and answered, one second after the other."""
    run: list[Second] = []
    for second in [*seconds, Second(0, 0, 0, 0, 0, 0)]:
        if LOST[0] < second.lost < LOST[1]:
            run.append(second)
            continue
        if len(run) >= LOSSY_SECONDS:
            yield from run
        run = []


def _explains(change: Change, episode: _Episode) -> bool:
    """Whether it happened at the same time; a gray failure tells of its node, and not of whom it hits."""
    if change.names == (Name.GRAY,):
        return False
    cut_between = any(min(change.first_ns, episode.first_ns) < cut <= max(change.first_ns, episode.first_ns)
                      for cut in episode.scene.cuts)  # fmt: skip
    near = change.first_ns - TOGETHER_NS <= episode.last_ns and episode.first_ns <= change.last_ns + TOGETHER_NS
    return near and not cut_between


@dataclass(frozen=True)
class _Episode:
    """Troubles of one vantage that belong together, up to and without `end_ns`."""

    scene: Scene
    quiet: Quiet
    troubles: Sequence[_Trouble]
    end_ns: int

    @property
    def first_ns(self) -> int:
        """When it began."""
        return self.troubles[0].t_ns

    @property
    def last_ns(self) -> int:
        """When the last trouble began."""
        return self.troubles[-1].t_ns

    def length_ns(self, trouble: _Trouble) -> int:
        """Return how long a silence was inside of this; one that goes on, until the vantage told the last."""
        told_ns = self.quiet.seconds[-1].t_ns if self.quiet.seconds else self.end_ns
        return min(self.end_ns, trouble.until_ns or max(told_ns, trouble.t_ns)) - trouble.t_ns

    @property
    def hit(self) -> frozenset[int]:
        """The slots of held sessions that ended, or were silent for long, or together with many others.

        One session alone is no matter of the network.
        """
        held = [trouble for trouble in self.troubles if trouble.slot >= 0]
        many = len({trouble.slot for trouble in held}) > max(1, FEW * self.known)
        found = frozenset(t.slot for t in held if many or t.cause is not None or self.length_ns(t) >= LASTING_NS)
        return found if len(found) > 1 else frozenset()

    @property
    def known(self) -> int:
        """How many slots had been answered."""
        return max(1, self.scene.known(self.last_ns))

    @property
    def lasting(self) -> frozenset[int]:
        """The slots that are silent at the end of it."""
        return frozenset(t.slot for t in self.troubles if t.slot >= 0 and (t.until_ns or self.end_ns) >= self.end_ns)

    @property
    def longest_ns(self) -> int:
        """The longest silence of a held session."""
        return max((self.length_ns(trouble) for trouble in self.troubles if trouble.slot >= 0), default=0)

    @property
    def causes(self) -> Counter[DropCause]:
        """How many sessions ended by which cause; one in each slot."""
        return Counter({t.slot: t.cause for t in self.troubles if t.cause is not None}.values())

    @property
    def new_failed(self) -> bool:
        """Whether new connections failed, once for long or more than once."""
        gaps = [self.length_ns(trouble) for trouble in self.troubles if trouble.slot == NEW]
        return len(gaps) > 1 or any(length_ns >= NEW_NS for length_ns in gaps)

    @property
    def syns(self) -> tuple[int, int, int]:
        """Fresh SYNs sent, answered and refused in whole seconds while new connections failed."""
        gaps = [trouble for trouble in self.troubles if trouble.slot == NEW]
        until_ns = max((min(self.end_ns, gap.until_ns or self.end_ns) for gap in gaps), default=0)
        seconds = self.quiet.between(gaps[0].t_ns, until_ns) if gaps else ()
        return (
            sum(s.syn_sent for s in seconds),
            sum(s.syn_answered for s in seconds),
            sum(s.syn_refused for s in seconds),
        )

    @property
    def server(self) -> str:
        """The one server whose sessions were hit while those of others were not, or ''."""
        before_ns = self.first_ns
        of = {slot: self.quiet.server(slot, before_ns) for slot in self.scene.history.slots}
        hit = {of[slot] for slot in self.hit if of.get(slot)}
        others = {server for slot, server in of.items() if server and slot not in self.hit}
        by_chance = math.comb(len(of), len(self.hit))  # so many sets of sessions might have been hit as well
        only = len(hit) == 1 and bool(others) and not hit & others and by_chance >= 2**MANY
        return next(iter(hit)) if only else ""

    def change(self, name: Name) -> Change:
        """Return the change that it is."""
        slots = self.hit or frozenset(trouble.slot for trouble in self.troubles)
        ended = {trouble.slot for trouble in self.troubles if trouble.cause is not None}
        about_new = name in (Name.APPLICATION_SILENT, Name.NEW_SILENT, Name.NEW_REFUSED, Name.NEW_PARTLY)
        sessions = self.known if about_new or name is Name.LOSS else min(self.known, len(slots))
        sent, answered, refused = self.syns
        why = f"{answered} of {sent} new connections answered, {refused} refused" if sent else ""
        return Change(
            vantage=self.scene.vantage,
            names=(name,),
            site="",
            before=self.server if name is Name.ONE_SERVER else "",
            after="",
            sessions=sessions,
            of=self.known,
            survived=sessions - min(sessions, len(ended & slots)),
            first_ns=self.first_ns,
            last_ns=self.last_ns,
            evidence=tuple(trouble.t_ns for trouble in self.troubles[:SHOWN]),
            why=why,
        )


def _name(episode: _Episode) -> Name | None:
    """Return what an episode is; None where it is too little to be anything."""
    lossy = any(trouble.slot == LOSSY for trouble in episode.troubles)
    if lossy and episode.longest_ns < LASTING_NS and sum(episode.causes.values()) <= FEW * episode.known:
        return Name.LOSS
    share = len(episode.hit) / episode.known
    if not episode.hit:
        if episode.new_failed:
            return _new(episode)
        asked = any(t.slot == ASKED and episode.length_ns(t) >= UNANSWERED_NS for t in episode.troubles)
        return Name.APPLICATION_SILENT if asked else None
    if episode.server:
        return Name.ONE_SERVER
    return _ended(episode) or _silent(episode, share)


def _new(episode: _Episode) -> Name:
    sent, answered, refused = episode.syns
    if sent and answered > FEW * sent:
        return Name.NEW_PARTLY
    return Name.NEW_REFUSED if sent and refused > sent / 2 else Name.NEW_SILENT


def _ended(episode: _Episode) -> Name | None:
    """Return the name where what was hit was ended by somebody, and not by silence."""
    causes = episode.causes
    by_peer = causes[DropCause.RESET] + causes[DropCause.FIN]
    if causes[DropCause.ICMP] > len(episode.hit) / 2:
        return Name.UNREACHABLE
    if by_peer <= len(episode.hit) / 2:
        return None
    new = _new(episode) if episode.new_failed else Name.NEW_PARTLY
    return {Name.NEW_REFUSED: Name.REFUSED, Name.NEW_SILENT: Name.NO_ANSWERS}.get(new, Name.HELD_RESET)


def _silent(episode: _Episode, share: float) -> Name:
    if share < ALL:
        return Name.SOME_SILENT
    if not episode.lasting and not episode.causes:
        return Name.STALLED
    return Name.NO_ANSWERS if episode.new_failed else Name.HELD_SILENT
