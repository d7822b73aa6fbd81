"""Gives up what the agent needed only to begin: every capability, for good (capabilities(7), prctl(2))."""

from __future__ import annotations

import ctypes
import struct

VERSION_3 = 0x20080522
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4


def drop() -> None:
    """Empty all capability sets of every thread to come, and of this one; nothing executed later gets any back.

    The sockets that are open keep working: the kernel asked when they were opened. Raises OSError when refused,
    which the kernel never does for giving up.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = ctypes.create_string_buffer(struct.pack("II", VERSION_3, 0))
    nothing = ctypes.create_string_buffer(struct.pack("6I", *[0] * 6))
    for failed in (libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), libc.capset(header, nothing)):
        if failed:
            raise OSError(ctypes.get_errno(), "privileges could not be given up")
