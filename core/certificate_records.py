"""The facts of certificates seen in sessions; `core.records` has all the other facts that a journal holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CertificateSeen:
    """The certificate that a slot's session was shown (mode tls), written at the first and at each change.

    `not_before` and `not_after` are UTC, ISO 8601; `serial` and `sha256` (of the DER form) are hexadecimal. `untrusted`
    says why it does not verify against the inventory's authorities; '' where it does. Nothing was refused for it.
    """

    t_ns: int
    vantage: str
    slot: int
    session: str
    subject: str
    issuer: str
    serial: str
    not_before: str
    not_after: str
    sha256: str
    tls_version: str
    cipher: str
    untrusted: str
