"""The network of the design, on this machine, in namespaces, of real daemons.

May import core only. Starts reflectors and monitors as commands, not by import.
"""
