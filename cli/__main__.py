"""Lets `python -m cli` be the command, where it is not installed."""

from cli.main import main

main()
