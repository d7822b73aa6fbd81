"""The journal: records appended first, read behind cursors, judged later.

Knows SQLite. May import core. Must not know packets, faults or screens.
"""
