"""The only file that knows NKeys (ed25519): makes them, keeps them in files of their user alone, signs, verifies.

A seed is the secret; it leaves its file for the signing and for nothing else: it is in no argument, record or message.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

import nkeys
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from core.errors import ConfigError
from store.private import read_private
from store.whole import write_whole

CONNECTS = "U"
"""What the public key of a member of the bus begins with: a user, to the server."""
SIGNS = "O"
"""What the public key begins with that orders are signed by; no server takes one for a user."""
_PREFIXES = {CONNECTS: nkeys.PREFIX_BYTE_USER, SIGNS: nkeys.PREFIX_BYTE_OPERATOR}


class SigningKey:
    """A key whose secret is in a file; signs bytes. Raises ConfigError where the file is none, or open to others."""

    def __init__(self, path: Path, kind: str) -> None:
        try:
            self._pair = nkeys.from_seed(bytearray(read_private(path).strip().encode()))
            self.public = str(self._pair.public_key, "ascii")
        except (nkeys.NkeysError, ValueError) as error:
            # Not `from error`: that would carry the seed along.
            raise ConfigError(f"{path} has no NKey seed: {type(error).__name__}") from None
        if not self.public.startswith(kind):
            raise ConfigError(f"{path} has a key {self.public[0]}..., needed is one that begins with {kind}")

    def sign(self, data: bytes) -> bytes:
        """Return the signature, 64 bytes."""
        return bytes(self._pair.sign(data))


def make(path: Path, kind: str) -> str:
    """Write a new secret to `path`, for its user alone, and return the public key. Raises OSError."""
    seed = nkeys.encode_seed(os.urandom(32), _PREFIXES[kind])
    write_whole(path, f"{seed.decode('ascii')}\n", mode=0o600)
    return SigningKey(path, kind).public


def is_public(key: str, kind: str) -> bool:
    """Whether `key` is a public key of that kind, with the checksum that it carries."""
    try:
        raw = base64.b32decode(key)
    except (binascii.Error, ValueError):
        return False
    whole = len(raw) == 35 and raw[0] == _PREFIXES[kind]
    return whole and nkeys.crc16(raw[:-2]) == int.from_bytes(raw[-2:], "little")


def verify(key: str, data: bytes, signature: bytes) -> bool:
    """Whether `signature` of `data` was made by the secret of the public `key`; see `core.orders.Verify`."""
    if not is_public(key, SIGNS):
        return False
    try:
        VerifyKey(base64.b32decode(key)[1:33]).verify(data, signature)
    except (BadSignatureError, ValueError):
        return False
    return True
