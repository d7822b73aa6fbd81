"""The certificate that each slot was last shown; told at the first and at each change."""

from __future__ import annotations

import hashlib

from core.certificate_records import CertificateSeen
from probe.kernel.tls import Secure
from probe.x509 import certificate


class Certificates:
    """Remembers by slot, over restarts of its session."""

    def __init__(self, vantage: str) -> None:
        self._vantage = vantage
        self._shown: dict[int, str] = {}

    def shown(self, secure: Secure, untrusted: str, slot: int, session: str, now_ns: int) -> list[CertificateSeen]:
        """Take in the certificate of a finished handshake; return its record where it is another than before."""
        der = secure.certificate()
        fingerprint = hashlib.sha256(der).hexdigest()
        if self._shown.get(slot) == fingerprint:
            return []
        self._shown[slot] = fingerprint
        says = certificate(der)
        return [
            CertificateSeen(
                now_ns,
                self._vantage,
                slot,
                session,
                says.subject,
                says.issuer,
                says.serial,
                says.not_before,
                says.not_after,
                fingerprint,
                *secure.spoken(),
                untrusted,
            )
        ]
