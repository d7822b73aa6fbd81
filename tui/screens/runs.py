"""What has been run: outcomes, their course, two beside each other; Enter opens the report, r replays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.widget import Widget

from tui.model.compare import compare
from tui.model.standing import RunLine
from tui.screens.base import WatchScreen
from tui.screens.text import TextScreen
from tui.widgets.listing import Listing
from tui.widgets.run_list import RunList

if TYPE_CHECKING:
    from tui.app import WatchApp

LARGEST = 1 << 20


class RunsScreen(WatchScreen):
    """The list of runs, newest first."""

    NAME = "runs"
    TITLE_WORDS = "Runs"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "replay", "Replay the run on these screens", id="runs.replay"),
        Binding("m", "mark", "Mark the run, to compare another with it", id="runs.mark"),
        Binding("c", "compare", "Compare with the marked run", id="runs.compare"),
    ]

    def body(self) -> Sequence[Widget]:
        """Return the list."""
        self._list = RunList(classes="part")
        self._marked: RunLine | None = None
        return (self._list,)

    def fill(self) -> None:
        """Put the runs into it, and the course of their outcomes above."""
        runs = self.seen.standing.runs
        self._list.marked = self._marked.run if self._marked else ""
        self._list.put(runs)
        course = "".join({"PASSED": "●", "FAILED": "✖", "": "…"}.get(run.outcome, "?") for run in reversed(runs[:40]))
        self._list.border_title = f"Runs   {course} newest" if course else "Runs"

    def on_listing_entered(self, event: Listing.Entered) -> None:
        """Open the report of a run."""
        run = self._list.current
        if run is None:
            return
        event.stop()
        path = Path(run.path) / "report.md"
        try:
            with path.open() as file:
                lines = file.read(LARGEST).splitlines()
        except OSError as error:
            self.app.notify(f"{path}: {error.strerror}", severity="warning", markup=False)
            return
        self.app.push_screen(TextScreen(self.seen, self.NAME, f"Report of {run.run}", [(line, "") for line in lines]))

    def action_replay(self) -> None:
        """Show the run on all screens, from its beginning."""
        run = self._list.current
        app = cast("WatchApp", self.app)
        if run is not None and app.tail is not None:
            app.tail.open(Path(run.path))
            app.call_later(app.action_go, "live")

    def action_mark(self) -> None:
        """Mark the run under the cursor."""
        self._marked = self._list.current
        self.show()

    def action_compare(self) -> None:
        """Show the marked run and the one under the cursor beside each other."""
        run = self._list.current
        if self._marked is None or run is None:
            self.app.notify("mark a run with m first, then go to another one", severity="warning")
            return
        lines = compare(self._marked, run)
        self.app.push_screen(TextScreen(self.seen, self.NAME, "Two runs", lines))
