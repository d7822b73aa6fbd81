"""The command `vipchaos` and its wiring: the only room that imports all others."""

from pathlib import Path

EXPERIMENTS = Path(__file__).resolve().parent.parent / "experiments"
"""What comes with vipchaos: the lab's inventory, the demo's story, the library."""
