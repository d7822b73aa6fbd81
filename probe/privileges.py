"""Gives up what the agent needed only to begin: capabilities, for good (capabilities(7), prctl(2))."""

from __future__ import annotations

import ctypes
import struct

VERSION_3 = 0x20080522
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
FILES = 1 << 1 | 1 << 2 | 1 << 3
"""CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER: what root needs in another user's directory."""


def drop(keep: int = 0) -> None:
    """Empty the capability sets of this thread and of those that it starts later, but for `keep`, a set of bits.

    Nothing executed later gets any back. The sockets that are open keep working: the kernel asked when they were
    opened. Each thread has sets of its own, so one that was started before has to give its own up. Raises OSError
    when refused, which the kernel never does for giving up.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = ctypes.create_string_buffer(struct.pack("II", VERSION_3, 0))
    sets = ctypes.create_string_buffer(struct.pack("6I", *[0] * 6))
    libc.capget(header, sets)
    effective, permitted, *_ = struct.unpack("6I", sets.raw[:24])
    kept = ctypes.create_string_buffer(struct.pack("6I", effective & keep, permitted & keep, 0, 0, 0, 0))
    for failed in (libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), libc.capset(header, kept)):
        if failed:
            raise OSError(ctypes.get_errno(), "privileges could not be given up")
