"""What a certificate says of itself, read by Scapy."""

from __future__ import annotations

from dataclasses import dataclass

from scapy.error import Scapy_Exception
from scapy.layers.x509 import X509_Cert


@dataclass(frozen=True, slots=True)
class Certificate:
    """What an X.509 certificate says of itself; texts that cannot be read are ''. Instants are UTC, ISO 8601."""

    subject: str = ""
    issuer: str = ""
    serial: str = ""
    not_before: str = ""
    not_after: str = ""


def certificate(der: bytes) -> Certificate:
    """Read a certificate (RFC 5280, section 4.1); what is none gives empty texts."""
    try:
        signed = X509_Cert(der).tbsCertificate
        validity = signed.validity
        return Certificate(
            signed.get_subject_str(),
            signed.get_issuer_str(),
            f"{signed.serialNumber.val:x}",
            validity.not_before.datetime.isoformat(),
            validity.not_after.datetime.isoformat(),
        )
    except (Scapy_Exception, AttributeError, ValueError, TypeError):
        return Certificate()
