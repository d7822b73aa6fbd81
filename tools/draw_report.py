"""Draws docs/report.png: the first screen of the report page of the recorded run, by Chromium."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from cli.verdict import judge_run  # noqa: E402  the path comes first
from tests.recorded.fixture import restore  # noqa: E402

WIDTH, HEIGHT = 1280, 1010


def main() -> None:
    """Judge the recorded run, draw its page, and take a picture of it."""
    with tempfile.TemporaryDirectory() as directory:
        page = Path(directory) / "report.html"
        page.write_text(judge_run(restore(Path(directory) / "run")).html(), "utf-8")
        subprocess.run(
            [
                "chromium",
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                f"--user-data-dir={directory}/profile",
                "--blink-settings=preferredColorScheme=1",
                f"--window-size={WIDTH},{HEIGHT}",
                f"--screenshot={ROOT / 'docs' / 'report.png'}",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
        )


if __name__ == "__main__":
    main()
