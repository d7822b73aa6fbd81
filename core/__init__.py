"""The domain, pure: models, record types, TCP session machine, outage analysis, verdict.

Knows no sockets, clocks, threads, files or logging. The strict YAML loader is its
only edge. Imports nothing of the other rooms.
"""
