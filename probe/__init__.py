"""Packets: engines, who answered, the agent at a vantage, the reflector.

May import core and store. Must not know faults, verdicts or screens.
"""
