"""Writes the pages of docs/ that come from the code; tests hold them equal to it."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from core.series.page import as_markdown as series  # noqa: E402
from core.tcp.states import as_markdown  # noqa: E402  the path comes first
from dashboards.grafana.pages import files as dashboards  # noqa: E402
from lab.flavours import as_markdown as flavours  # noqa: E402

PAGE = """# The session machine

A probe's TCP session, as `core/tcp/` drives it. Rows are states, columns what happens; `-` is a move that the table
does not allow: the machine raises, and its state stays. Written by `make docs` from `core/tcp/states.py`.

"""

if __name__ == "__main__":
    (ROOT / "docs" / "session-machine.md").write_text(PAGE + as_markdown())
    (ROOT / "docs" / "lab.md").write_text(flavours())
    (ROOT / "docs" / "series.md").write_text(series())
    for name, text in dashboards().items():
        (ROOT / "dashboards" / "grafana" / "json" / name).write_text(text)
