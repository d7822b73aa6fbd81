"""The TCP session of a probe as a sans-IO machine: segments and instants in, segments and events out (RFC 9293).

It knows no socket and no clock. `states` has the table, `segments` the arithmetic, `session` the machine.
"""
