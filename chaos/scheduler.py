"""The only file that knows APScheduler: it wakes us at planned instants.

It keeps no plan and no memory. What has become of a planned run is decided from the ledger at every waking, since
APScheduler joins missed runs into one without a word, or starts them in a burst; and whoever waits on a
monotonic clock finds out late that the wall clock was set, so it also wakes us now and then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler

LOOK_EVERY_S = 20


class Alarms:
    """Calls `wake` on the running loop at each instant that is set, and every `LOOK_EVERY_S`."""

    def __init__(self, wake: Callable[[], Awaitable[None]], look_every_s: float = LOOK_EVERY_S) -> None:
        self._wake = wake
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler = AsyncIOScheduler(timezone=UTC, job_defaults=defaults)
        self._scheduler.add_job(wake, "interval", seconds=look_every_s, id="look")

    def start(self) -> None:
        """Begin; called on the loop."""
        self._scheduler.start()

    def set(self, name: str, at: datetime) -> None:
        """Wake at the instant `at` for `name`, instead of when it was set to before."""
        self._scheduler.add_job(self._wake, "date", run_date=at, id=f"run {name}", replace_existing=True)

    def stop(self) -> None:
        """End; nothing is woken afterwards."""
        self._scheduler.shutdown(wait=False)
