"""Runs for tests: `synthetic` makes one of any size by a formula, `fixture` reads a small one that was recorded."""
