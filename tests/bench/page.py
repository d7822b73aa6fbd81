"""What `make bench` measured, as tables, as a plot, and as the page docs/performance.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.bench.held import Held
from tests.bench.peers import Peer
from tests.pages import DOCS, put

LARGE = 10_000
HEAD = (
    "engine sessions  period   beats/s  cpu us   user    core  unansw  missed  ring  self   p99 ms  tick  open s\n"
    "                      s              each   each                   sends drops  infl     late    ms"
)


def row(held: Held) -> str:
    """Return the line of one load."""
    load = held.load
    return (
        f"{load.engine:6} {load.sessions:>8} {load.period_s:>7g} {held.answered / held.wall_s:>9.0f} "
        f"{held.cpu_us:>7.2f} {held.user_us:>6.2f} {held.core:>7.1%} {held.sent - held.answered:>7} {held.skipped:>7} "
        f"{held.ring_dropped:>5} {held.self_inflicted:>5} {held.late_p99_ms:>8.2f} {held.tick_ms:>5.1f} "
        f"{held.opened_in_s:>7.1f}"
    )


def made_up(held: Sequence[Held]) -> str:
    """Return a line that says what was told of a path that was never down."""
    outages, drops, refused = (sum(getattr(one, what) for one in held) for what in ("outages", "drops", "refused"))
    return f"told of paths that were never down: {outages} outages, {drops} drops; packets refused: {refused}"


def state(held: Held, alone: Held) -> str:
    """Return a line that says what a session takes of memory, over an agent that has one."""
    each = (held.memory_bytes - alone.memory_bytes) / held.load.sessions
    return (
        f"memory with {held.load.sessions} sessions: {held.memory_bytes / 1e6:.1f} MB, with one: "
        f"{alone.memory_bytes / 1e6:.1f} MB (packet rings left out), so {each:.0f} bytes of state a session"
    )


def tables(peers: Sequence[Peer], held: Sequence[Held], alone: Held | None) -> str:
    """Return both tables; the first load is the one that the peers are held against."""
    ours = held[0]
    lines = [
        "what one heartbeat costs: processor time of the tool, the kernel's part for both ends included",
        f"{'':26}{'cpu us':>8}{'ratio':>8}  what it is",
        f"{'vipchaos, ring engine':26}{ours.cpu_us:>8.2f}{1:>8.1f}  keepalive on a held session, answered by an ACK",
    ]
    lines += [
        f"{peer.name:26}{peer.cpu_us:>8.2f}{peer.cpu_us / ours.cpu_us:>8.1f}  {peer.what}"
        for peer in sorted(peers, key=lambda one: -one.cpu_us)
    ]
    lines += ["", "vipchaos under load", HEAD, *map(row, held), "", made_up(held)]
    if alone is not None:
        lines += ["", *(state(one, alone) for one in held if one.load.sessions >= LARGE)]
    return "\n".join(lines) + "\n"


def write(text: str, scale: Sequence[Held]) -> None:
    """Put the tables into docs/performance.md, between its marks, and draw docs/scale.png."""
    put("performance.md", "make bench", "\n".join(f"    {line}".rstrip() for line in text.splitlines()))
    draw(scale, DOCS / "scale.png")


def draw(scale: Sequence[Held], path: Path) -> None:
    """Draw processor time and memory over the number of sessions, beside lines through the two largest loads."""
    from matplotlib.figure import Figure

    scale = sorted(scale, key=lambda one: one.load.sessions)
    sessions = [one.load.sessions for one in scale]
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    panels = (
        ("processor time, % of one core", [100 * one.core for one in scale]),
        ("resident memory without rings, MB", [one.memory_bytes / 1e6 for one in scale]),
    )
    for axes, (what, values) in zip(figure.subplots(1, 2), panels, strict=True):
        slope = (values[-1] - values[-2]) / (sessions[-1] - sessions[-2])
        line = [values[-1] + slope * (count - sessions[-1]) for count in sessions]
        axes.plot(sessions, line, color="0.6", linestyle="--", label="a line through the two largest")
        axes.plot(sessions, values, "o", color="#1565c0", label="measured")
        axes.set(xscale="log", yscale="log", xlabel="sessions, one heartbeat a second each", ylabel=what)
        axes.set_ylim(min(values) / 2, max(values) * 2)
        for count, value in zip(sessions, values, strict=True):
            axes.annotate(f"{value:.3g}", (count, value), textcoords="offset points", xytext=(0, 7), ha="center")
        axes.grid(visible=True, alpha=0.3)
        axes.legend(loc="upper left")
    figure.savefig(path, dpi=110)
