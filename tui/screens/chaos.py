"""What is out and how to take it back; what is planned, what could be run, who did what. Faults only with --arm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from tui.messages import Told
from tui.model.compare import plan, planned_run
from tui.screens.base import WatchScreen
from tui.screens.text import TextScreen
from tui.widgets.audit_list import AuditList
from tui.widgets.experiment_list import ExperimentList
from tui.widgets.lease_list import LeaseList
from tui.widgets.listing import Listing
from tui.widgets.schedule_list import ScheduleList, schedule_words
from tui.widgets.standing_bar import StandingBar

if TYPE_CHECKING:
    from tui.app import WatchApp


class ChaosScreen(WatchScreen):
    """Leases, schedule, experiments, audit."""

    NAME = "chaos"
    TITLE_WORDS = "Chaos"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "revert", "Revert the lease under the cursor now", id="chaos.revert"),
        Binding("R", "run", "Run what is under the cursor now (only with --arm)", id="chaos.run"),
        Binding("d", "dry", "Dry run of the experiment: probes run, no fault does", id="chaos.dry"),
        Binding("s", "skip", "Leave the planned run out, or have it run after all", id="chaos.skip"),
        Binding("tab", "app.focus_next", "To the next list", id="chaos.next"),
    ]

    def body(self) -> Sequence[Widget]:
        """Return the state of the switch and four lists."""
        self._leases = LeaseList(self.seen, id="leases", classes="part")
        self._leases.border_title = "Out now"
        self._schedule = ScheduleList(id="schedule", classes="part")
        self._experiments = ExperimentList(id="experiments", classes="part")
        self._experiments.border_title = "Experiments" + (
            "" if self.seen.armed else " (read-only: start with --arm to run)"
        )
        self._audit = AuditList(self.seen, id="audit", classes="part")
        self._audit.border_title = "Audit"
        below = Horizontal(self._experiments, self._audit, classes="half")
        return (StandingBar(self.seen, id="state", classes="part"), self._leases, self._schedule, below)

    @property
    def listing(self) -> Listing[object] | None:
        """The list in focus, else that of what is out."""
        focused = self.focused
        return focused if isinstance(focused, Listing) else cast("Listing[object]", self._leases)

    def fill(self) -> None:
        """Put what stands into the lists."""
        standing = self.seen.standing
        self._leases.put(standing.leases)
        self._schedule.put(standing.schedule.lines)
        self._schedule.border_title = f"Schedule, {schedule_words(standing.schedule)}"
        self._experiments.put(standing.experiments)
        self._audit.put(standing.audit)

    def on_listing_entered(self, event: Listing.Entered) -> None:
        """Open the plan of an experiment, or a planned run."""
        planned = self._schedule.current
        if event.listing is self._schedule and planned is not None:
            event.stop()
            title = f"{planned.game_day}, planned"
            self.app.push_screen(TextScreen(self.seen, self.NAME, title, planned_run(planned)))
        line = self._experiments.current
        if event.listing is self._experiments and line is not None and line.parsed:
            event.stop()
            self.app.push_screen(
                TextScreen(self.seen, self.NAME, f"Plan of {line.name}", plan(line.parsed, line.files))
            )

    def action_revert(self) -> None:
        """Revert a lease now; this needs no arming, for it only undoes."""
        lease = self._leases.current
        if self.seen.read_only or lease is None:
            self.app.notify("read-only" if self.seen.read_only else "nothing is out", severity="warning")
            return
        from tui.edge.acting import revert

        app = self.app
        revert(lease.lease, lambda text, bad: app.post_message(Told(text, bad)))

    def action_skip(self) -> None:
        """Leave a planned run out, which needs no arming; have it run after all, which does."""
        line = self._schedule.current
        if self.seen.read_only:
            self.app.notify("read-only", severity="warning")
        elif self.focused is not self._schedule or line is None:
            self.app.notify("put the cursor on a planned run first (Tab)", severity="warning")
        elif line.skipped and not self.seen.armed:
            self.app.notify("read-only: start `vipchaos watch --arm` to have it run after all", severity="warning")
        else:
            from tui.edge.acting import leave_out

            app = cast("WatchApp", self.app)
            leave_out(line.game_day, line.at, not line.skipped, lambda said, bad: app.post_message(Told(said, bad)))

    def action_dry(self) -> None:
        """Have the experiment's probes run without its faults; this needs no arming."""
        line, inventory = self._experiments.current, cast("WatchApp", self.app).options.inventory
        if self.seen.read_only:
            self.app.notify("read-only", severity="warning")
        elif self.focused is not self._experiments or line is None or not line.parsed or inventory is None:
            self.app.notify("put the cursor on an experiment first (Tab)", severity="warning")
        else:
            from tui.edge.acting import run_experiment

            app = self.app
            app.notify(f"dry run of {line.name}", markup=False)
            run_experiment(inventory, line.files, lambda said, bad: app.post_message(Told(said, bad)), dry=True)

    def action_run(self) -> None:
        """Ask for the name of the experiment or of the game day, typed, and run it."""
        line, planned = self._experiments.current, self._schedule.current
        if not self.seen.armed or self.seen.read_only:
            self.app.notify("read-only: start `vipchaos watch --arm` to run faults", severity="warning")
        elif self.focused is self._schedule and planned is not None:
            files = ", ".join(Path(each).name for each in planned.files)
            self._confirm(planned.game_day, f"runs {files}", Path(planned.inventory), planned.files)
        elif self.focused is self._experiments and line is not None and line.parsed:
            inventory = cast("WatchApp", self.app).options.inventory
            faults = ", ".join(fault.name for experiment in line.parsed for fault in experiment.faults)
            if inventory is not None:
                self._confirm(line.name, f"injects {faults}", inventory, line.files)
        else:
            self.app.notify("put the cursor on an experiment or a planned run first (Tab)", severity="warning")

    def _confirm(self, name: str, what: str, inventory: Path, files: Sequence[str]) -> None:
        from tui.dialogs.line import Line

        def check(text: str) -> str:
            return "" if text == name else f"type {name} to run it, Esc to leave it"

        def run(text: str | None) -> None:
            app = cast("WatchApp", self.app)
            if text == name:
                from tui.edge.acting import run_experiment

                app.notify(f"running {name}", markup=False)
                run_experiment(inventory, files, lambda said, bad: app.post_message(Told(said, bad)))

        self.app.push_screen(Line(f"Run {name}: {what}", f"type {name} to run it", check), run)
