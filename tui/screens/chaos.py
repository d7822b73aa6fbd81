"""What is out and how to take it back; what could be run; who did what. Faults only where started with --arm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from tui.messages import Told
from tui.model.compare import plan
from tui.model.standing import ExperimentLine
from tui.screens.base import WatchScreen
from tui.screens.text import TextScreen
from tui.widgets.audit_list import AuditList
from tui.widgets.experiment_list import ExperimentList
from tui.widgets.lease_list import LeaseList
from tui.widgets.listing import Listing
from tui.widgets.standing_bar import StandingBar

if TYPE_CHECKING:
    from tui.app import WatchApp


class ChaosScreen(WatchScreen):
    """Leases, experiments, audit."""

    NAME = "chaos"
    TITLE_WORDS = "Chaos"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "revert", "Revert the lease under the cursor now", id="chaos.revert"),
        Binding("R", "run", "Run the experiment under the cursor (only with --arm)", id="chaos.run"),
        Binding("tab", "app.focus_next", "To the next list", id="chaos.next"),
    ]

    def body(self) -> Sequence[Widget]:
        """Return the state of the switch and three lists."""
        self._leases = LeaseList(self.seen, id="leases", classes="part")
        self._leases.border_title = "Out now"
        self._experiments = ExperimentList(id="experiments", classes="part")
        self._experiments.border_title = "Experiments" + (
            "" if self.seen.armed else " (read-only: start with --arm to run)"
        )
        self._audit = AuditList(self.seen, id="audit", classes="part")
        self._audit.border_title = "Audit"
        below = Horizontal(self._experiments, self._audit, classes="half")
        return (StandingBar(self.seen, id="state", classes="part"), self._leases, below)

    @property
    def listing(self) -> Listing[object] | None:
        """The list in focus, else that of what is out."""
        focused = self.focused
        return focused if isinstance(focused, Listing) else cast("Listing[object]", self._leases)

    def fill(self) -> None:
        """Put what stands into the lists."""
        standing = self.seen.standing
        self._leases.put(standing.leases)
        self._experiments.put(standing.experiments)
        self._audit.put(standing.audit)

    def on_listing_entered(self, event: Listing.Entered) -> None:
        """Open the plan of an experiment."""
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

    def action_run(self) -> None:
        """Ask for the experiment's name, typed, and run it."""
        line = self._experiments.current
        if not self.seen.armed or self.seen.read_only:
            self.app.notify("read-only: start `vipchaos watch --arm` to run faults", severity="warning")
        elif self.focused is not self._experiments or line is None or not line.parsed:
            self.app.notify("put the cursor on an experiment first (Tab)", severity="warning")
        else:
            self._confirm(line)

    def _confirm(self, line: ExperimentLine) -> None:
        from tui.dialogs.line import Line

        def check(text: str) -> str:
            return "" if text == line.name else f"type {line.name} to run it, Esc to leave it"

        def run(text: str | None) -> None:
            app = cast("WatchApp", self.app)
            inventory = app.options.inventory
            if text == line.name and inventory is not None:
                from tui.edge.acting import run_experiment

                app.notify(f"running {line.name}", markup=False)
                run_experiment(inventory, line.files, lambda said, bad: app.post_message(Told(said, bad)))

        faults = ", ".join(fault.name for experiment in line.parsed for fault in experiment.faults)
        self.app.push_screen(Line(f"Run {line.name}: injects {faults}", f"type {line.name} to run it", check), run)
