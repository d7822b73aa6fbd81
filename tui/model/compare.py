"""Two runs beside each other, and a plan, as lines of text with a style each."""

from __future__ import annotations

from collections.abc import Sequence

from core.experiment import Experiment
from core.plan import longest_s, timeline
from tui.model.standing import PlannedLine, RunLine

OUTCOME_SIGNS = {"PASSED": ("●", "good"), "FAILED": ("✖", "bad"), "": ("…", "quiet")}


def outcome_sign(outcome: str) -> tuple[str, str]:
    """Return the sign and the style of an outcome."""
    return OUTCOME_SIGNS.get(outcome, ("?", "odd"))


def compare(first: RunLine, second: RunLine) -> list[tuple[str, str]]:
    """Return the experiments of two runs: the worst data-plane interval of each, and the verdicts."""
    lines = [(f"{'':<34} {first.run:<40} {second.run}", "strong")]
    lines.append((f"{'outcome':<34} {first.outcome or '…':<40} {second.outcome or '…'}", ""))
    lines += [
        (f"{name:<34} {_plane(first, name):<40} {_plane(second, name)}", _worse(first, second, name))
        for name in dict.fromkeys((*first.planes, *second.planes))
    ]
    lines += [
        (f"{name + ' verdicts':<34} {_verdicts(first, name):<40} {_verdicts(second, name)}", "")
        for name in dict.fromkeys((*first.verdicts, *second.verdicts))
    ]
    return lines


def _plane(run: RunLine, name: str) -> str:
    found = run.planes.get(name)
    return f"data plane {found[0]:.2f} … {found[1]:.2f} s" if found else "no outage"


def _worse(first: RunLine, second: RunLine, name: str) -> str:
    """Intervals that overlap cannot be told apart."""
    one, other = first.planes.get(name), second.planes.get(name)
    if one is None or other is None:
        return ""
    return "bad" if other[0] > one[1] else "good" if other[1] < one[0] else ""


def _verdicts(run: RunLine, name: str) -> str:
    if name not in run.verdicts:
        return "-"
    held, broken, unknown = run.verdicts[name]
    return f"{held} held, {broken} broken, {unknown} unknown"


def plan(experiments: Sequence[Experiment], files: Sequence[str]) -> list[tuple[str, str]]:
    """Return what a run of these experiments would do, and when at the earliest."""
    lines = [(f"vipchaos run --inventory FILE {' '.join(files)}", "strong")]
    lines.append((f"takes {longest_s(experiments):.0f} s at most, every wait used up", "quiet"))
    last = ""
    for step in timeline(experiments):
        if step.experiment != last:
            last = step.experiment
            title = next(each.title for each in experiments if each.name == last)
            lines += [("", ""), (f"{last}: {title}", "strong")]
        lines.append((f"{step.at_s:>+8.1f} s  {step.kind:<8} {step.fault}", "odd" if step.kind == "inject" else ""))
    return lines


def planned_run(line: PlannedLine) -> list[tuple[str, str]]:
    """Return all that is known of a planned run."""
    blocked = f"will be blocked: {line.blocked}" if line.blocked else "nothing that is known blocks it"
    return [
        (f"planned for {line.at:%Y-%m-%d %H:%M:%S} UTC, which is {line.local}", "strong"),
        (blocked, "odd" if line.blocked else ""),
        (f"last run: {line.last}", ""),
        ("", ""),
        (f"inventory {line.inventory}", ""),
        *[(f"experiment {path}", "") for path in line.files],
    ]
