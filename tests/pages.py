"""Pages of docs/ that hold what a command printed, between two marks."""

from __future__ import annotations

from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
END = "<!-- end of output -->"


def put(page: str, command: str, text: str) -> None:
    """Replace what stands in docs/`page` as the output of `command`."""
    path = DOCS / page
    begin = f"<!-- output: {command} -->"
    before, mark, rest = path.read_text().partition(begin)
    if not mark or END not in rest:
        raise ValueError(f"{path}: no {begin} before {END}")
    path.write_text(f"{before}{begin}\n\n{text.strip(chr(10))}\n\n{END}{rest.partition(END)[2]}")
