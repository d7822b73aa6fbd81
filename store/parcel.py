"""One message of an agent's records: rows of one of its journals, with what the receiver must know to take them in.

MessagePack, written and read by msgspec. Bodies stay the texts that the journal has. A journal is named
`AGENT+BOOT`: no name has a plus sign, so nobody's journal can be taken for another's.
"""

from __future__ import annotations

import re
from itertools import pairwise

import msgspec

from core.errors import VipchaosError
from core.reader import NAME

LONGEST_BYTES = 900_000
_JOURNAL = re.compile(r"(.+)\+[0-9a-z]{1,16}\Z")

Row = tuple[int, int, str, str, str]
"""seq, t_ns, kind, vantage and body, as the journal has them."""


class ParcelError(VipchaosError):
    """A message is no parcel; the words say why."""


class Parcel(msgspec.Struct, frozen=True, array_like=True):
    """Rows that follow row `after` of the agent's journal.

    `wall_offset_ns`: the agent's wall clock minus its monotonic clock. `offset_ns`: what leads from the latter to that
    of `clock` (a host's boot), within `bound_ns`; `clock` '' while none has been measured. `thinned`: how many
    summaries the agent has given up for room since the last parcel.
    """

    agent: str
    run: str
    journal: str
    after: int
    wall_offset_ns: int
    clock: str
    offset_ns: int
    bound_ns: int
    thinned: int
    rows: tuple[Row, ...]

    @property
    def message_id(self) -> str:
        """Return what the same rows have again when they are sent again."""
        return f"{self.run}-{self.journal}-{self.after}-{self.rows[-1][0]}"


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Parcel)


def pack(parcel: Parcel) -> bytes:
    """Return the message."""
    return _ENCODER.encode(parcel)


def unpack(data: bytes) -> Parcel:
    """Return the parcel in a message. Raises ParcelError where it is none that may be taken in."""
    if len(data) > LONGEST_BYTES:
        raise ParcelError(f"has {len(data)} bytes, allowed: at most {LONGEST_BYTES}")
    try:
        parcel = _DECODER.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ParcelError(f"cannot be read: {error}") from error
    owner = _JOURNAL.match(parcel.journal)
    if not NAME.match(parcel.agent) or not NAME.match(parcel.run):
        raise ParcelError("its agent or run has no name")
    if owner is None or owner[1] != parcel.agent:
        raise ParcelError(f"its journal {parcel.journal[:80]!r} is not one of agent {parcel.agent}")
    numbers = [parcel.after, *(row[0] for row in parcel.rows)]
    if not parcel.rows or parcel.after < 0 or any(low >= high for low, high in pairwise(numbers)):
        raise ParcelError("its rows are not in order")
    return parcel
