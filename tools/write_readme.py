"""Puts what `vipchaos demo` prints into the README, as it printed it: `make docs`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- output: vipchaos demo -->", "<!-- end of output -->"


def main() -> None:
    """Run the demo and replace what stands between the two marks."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", "demo", "--no-color"], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.returncode)
    before, _, rest = README.read_text().partition(BEGIN)
    lines = "\n".join(f"    {line}".rstrip() for line in done.stdout.strip("\n").splitlines())
    README.write_text(f"{before}{BEGIN}\n\n{lines}\n\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
