"""TLS inside a session, between the bytes of the connection and those of the service: sans-IO, and who is trusted."""

from __future__ import annotations

import hashlib
import ssl

from core.errors import CallError
from core.inventory import Service


class Secure:
    """One TLS session as a client: bytes of the connection in by `take`, out by `outgoing`."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_hostname=host)
        self.verified = context.verify_mode is ssl.CERT_REQUIRED
        self.ended = False

    def take(self, data: bytes) -> None:
        """Take in what came on the connection."""
        self._in.write(data)

    def outgoing(self) -> bytes:
        """Return what is to be sent on the connection."""
        return self._out.read()

    def shake_hands(self) -> bool:
        """Go on with the handshake; tell whether it is done. Raises ssl.SSLError when it fails."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self) -> bytes:
        """Return what the service said; `ended` is set once it has said farewell. Raises ssl.SSLError."""
        found = b""
        try:
            while data := self._object.read(1 << 14):
                found += data
        except ssl.SSLWantReadError:
            return found
        except ssl.SSLZeroReturnError:
            pass
        self.ended = True
        return found

    def write(self, data: bytes) -> bytes:
        """Return the bytes for the connection that carry `data` to the service."""
        self._object.write(data)
        return self.outgoing()

    def certificate(self) -> bytes:
        """Return the far end's certificate, DER; b'' where it has none."""
        return self._object.getpeercert(binary_form=True) or b""

    def spoken(self) -> tuple[str, str]:
        """Return the version of TLS and the cipher."""
        cipher = self._object.cipher()
        return self._object.version() or "", cipher[0] if cipher else ""


class Trust:
    """Whether each certificate verifies, found without refusing any.

    A handshake that verifies is tried first. Where it fails, its reason is the next certificate's that is met without
    verifying; a certificate that was not met before makes the next handshake verify again.
    """

    def __init__(self, service: Service) -> None:
        self._host = service.host
        try:
            self._strict = ssl.create_default_context(cafile=service.ca or None)
        except OSError as error:  # ssl.SSLError is one
            raise CallError(f"service.ca: {service.ca} cannot be read as certificates: {error}") from error
        self._lenient = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._lenient.check_hostname = False
        self._lenient.verify_mode = ssl.CERT_NONE
        self._verify = True
        self._reason = ""
        self._known: dict[str, str] = {}

    def secure(self) -> Secure:
        """Return the beginning of a TLS session."""
        return Secure(self._strict if self._verify else self._lenient, self._host)

    def refused(self, reason: str) -> None:
        """Note why a handshake that verifies failed: the next ones do not."""
        self._verify, self._reason = False, reason

    def untrusted(self, secure: Secure) -> str | None:
        """Return why the certificate of a finished handshake does not verify, '' where it does.

        None: not known, and the connection is to be opened again.
        """
        fingerprint = hashlib.sha256(secure.certificate()).hexdigest()
        if secure.verified:
            self._known[fingerprint] = ""
        elif fingerprint not in self._known:
            if not self._reason:
                self._verify = True
                return None
            self._known[fingerprint] = self._reason
        self._reason = ""
        return self._known[fingerprint]
