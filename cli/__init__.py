"""The command `vipchaos` and its wiring: the only room that imports all others."""
