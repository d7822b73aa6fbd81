"""The next planned runs, in UTC and in the zone that they are planned in; what blocks one, and how it went last."""

from __future__ import annotations

from tui.model.standing import PlannedLine, Schedule
from tui.widgets.listing import Cells, Column, Listing

COLUMNS = (
    Column("UTC", 20),
    Column("local", 27),
    Column("game day", 15),
    Column("blocked", 13, grows=True),
    Column("last run", 20, from_width=110),
)


class ScheduleList(Listing[PlannedLine]):
    """One row a planned run, the next one first."""

    def __init__(self, **options: str) -> None:
        super().__init__(
            COLUMNS, self._row, lambda line: line.key, "no game day is planned: see --game-days", **options
        )

    @staticmethod
    def _row(line: PlannedLine) -> Cells:
        return [
            (f" {line.at:%Y-%m-%d %H:%M:%S}", "quiet" if line.blocked else "strong"),
            (line.local, "quiet"),
            (line.game_day, "strong"),
            (f"✖ {line.blocked}" if line.blocked else "no", "odd" if line.blocked else "good"),
            (line.last, "quiet"),
        ]


def schedule_words(schedule: Schedule) -> str:
    """Return in a few words whether the planned runs will be run at all."""
    if schedule.error:
        return f"cannot be read: {schedule.error}"
    if not schedule.path:
        return "no file of game days"
    served = {
        True: "served here",
        False: "NOBODY SERVES IT: `vipchaos serve`",
        None: "whether it is served is not known",
    }
    return served[schedule.served]
