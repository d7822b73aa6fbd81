"""The guard: the process that gives leases, injects under them, and takes the faults back when they are over.

May be asked over its socket only (`client`); one guard for each directory of leases.
"""
