"""Writes what is seen: the picture as SVG, the rows as CSV or Markdown."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from core.errors import VipchaosError


def export(
    directory: Path,
    write: Callable[[Path, str], None],
    kind: str,
    name: str,
    svg: str,
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
) -> tuple[str, bool]:
    """Write it into `directory`; return what became of it in words, and whether it went wrong."""
    if kind != "svg" and not names:
        return "this screen has no rows: export its picture", True
    text = {"svg": lambda: svg, "csv": lambda: to_csv(names, rows), "md": lambda: to_markdown(names, rows)}[kind]()
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    path = directory / f"vipchaos-{name}-{stamp}.{kind}"
    try:
        write(path, text)
    except VipchaosError as error:
        return str(error), True
    return f"written: {path}", False


def to_csv(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as CSV (RFC 4180, but with line feeds)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([cell.strip() for cell in row] for row in rows)
    return text.getvalue()


def to_markdown(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a table."""
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(cell.strip().replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
