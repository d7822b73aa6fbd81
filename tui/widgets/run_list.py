"""Past runs, one row each."""

from __future__ import annotations

from tui.model.compare import outcome_sign
from tui.model.standing import RunLine
from tui.widgets.listing import Cells, Column, Listing

COLUMNS = (
    Column("run", 36),
    Column("outcome", 16),
    Column("held", -5),
    Column("broken", -6),
    Column("unknown", -7, from_width=90),
    Column("worst data plane", 18, from_width=110),
    Column("reason", 20, grows=True, from_width=100),
)


class RunList(Listing[RunLine]):
    """Newest first; a marked run has a star."""

    def __init__(self, **options: str) -> None:
        self.marked = ""
        super().__init__(COLUMNS, self._row, lambda run: run.run, "no run yet: `vipchaos demo` makes one", **options)

    def _row(self, run: RunLine) -> Cells:
        sign, style = outcome_sign(run.outcome)
        held, broken, unknown = (
            (sum(column) for column in zip(*run.verdicts.values(), strict=True)) if run.verdicts else (0, 0, 0)
        )
        worst = max(run.planes.values(), key=lambda bounds: bounds[1], default=None)
        plane = f"{worst[0]:.2f} … {worst[1]:.2f} s" if worst else "-"
        star = "*" if run.run == self.marked else " "
        return [
            (f"{star}{run.run}", "strong"),
            (f"{sign} {run.outcome or 'not judged'}", style),
            (str(held), "good" if held else "quiet"),
            (str(broken), "bad" if broken else "quiet"),
            (str(unknown), "odd" if unknown else "quiet"),
            (plane, ""),
            (run.reason, "quiet"),
        ]
