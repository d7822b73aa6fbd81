"""The schema as the page docs/series.md."""

from __future__ import annotations

from core.series.measurement import Measurement, Stamp
from core.series.point import GRAIN_NS, LONGEST_TEXT
from core.series.schema import SCHEMA, TAGS

INTRODUCTION = f"""# Time series

What `vipchaos ship` writes: measurements, tags, fields, types, units. Written by `make docs` from
`core/series/schema.py`, which is also what the shipper and the dashboards are held against.

- **Time** is nanoseconds since 1970, UTC: the journal's monotonic instant plus the offset of the record in that
  journal (RunStarted, ProbeStarted) that told both clocks last. A step of the wall clock during a run does not
  show in it.
- **No two points overwrite each other by chance.** A series has one *exact* point a second (or a run). Of what can
  happen to thousands of sessions at one instant the time is *numbered*: true to {GRAIN_NS / 1e6:g} ms, and the
  digits below are the record's number in its journal, modulo {GRAIN_NS}. Lengths are fields of their own
  and stay exact.
- **Shipping twice changes nothing**: the same record has the same tags and the same time, for ever.
- **A field keeps its type for ever.** What must change gets a new name.
- **Series are bounded** by the inventory and the experiments, not by time, sessions or runs: ids of sessions and runs
  are fields, never tags. The bound of each measurement stands below; four vantages, two sites with two nodes each and
  five experiments of three faults come to about 450 series, whatever the number of sessions.
- **Strings**: control characters and line breaks become spaces, more than {LONGEST_TEXT} characters are cut with an
  ellipsis; in tags a backslash becomes `_`. A tag that would be empty is `unknown`.
- Stored in the journal only: single heartbeats, round-trip histograms, evidence files, who answered each session.
- VictoriaMetrics keeps milliseconds, and of string fields nothing: read events there from the numbers.
"""


def as_markdown() -> str:
    """Return the page."""
    tags = "\n".join(f"| `{name}` | {about} |" for name, about in TAGS.items())
    parts = [INTRODUCTION, f"## Tags\n\n| tag | what |\n| --- | --- |\n{tags}\n", *map(_section, SCHEMA)]
    return "\n".join(parts)


def _section(measurement: Measurement) -> str:
    tags = ", ".join(f"`{name}`" for name in ("environment", *measurement.tags))
    time = "exact" if measurement.stamp is Stamp.EXACT else "numbered"
    rows = "\n".join(f"| `{one.name}` | {one.kind} | {one.unit or '-'} | {one.about} |" for one in measurement.fields)
    return (
        f"## {measurement.name}\n\n{measurement.about}\n\nTags: {tags}. Time: {time}. "
        f"Series: {measurement.series}.\n\n| field | type | unit | what |\n| --- | --- | --- | --- |\n{rows}\n"
    )
