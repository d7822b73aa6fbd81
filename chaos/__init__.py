"""Faults: drivers, transports, leases, the guard, the runner, and the serving of game days.

May import core and store. Must not know packets, the lab or screens.
"""
