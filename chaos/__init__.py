"""Faults: drivers, transports, leases, the watchdog and the runner.

May import core and store. Must not know packets, the lab or screens.
"""
