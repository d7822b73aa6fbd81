"""The only door to influxdb-client: one synchronous write of joined lines, and what the server's reply means.

The client's own batching is not used: it drops a batch when its retries run out, and the journal is the queue anyway.
"""

from __future__ import annotations

import enum
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException

from core.errors import CallError

TIMEOUT_MS = (5_000, 30_000)
LONGEST_WAIT_S = 300.0
LONGEST_WORDS = 300
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
_GZIP_LEVEL = 1  # 5 000 lines of 215 bytes: 52 kB in 10 ms; level 9, the client's own, 32 kB in 94 ms


class Api(enum.StrEnum):
    """Which write API a server speaks: v2 is that of InfluxDB 2 and 3, VictoriaMetrics and others; v1 of InfluxDB 1."""

    V2 = "v2"
    V1 = "v1"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where points go. With v1, `bucket` is the database, or `database/retention policy`, and `org` is ''."""

    url: str
    org: str
    bucket: str
    api: Api

    def __post_init__(self) -> None:
        """Refuse what cannot be a destination. Raises CallError."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CallError(f"--url {_without_secret(self.url)}: want http://HOST:PORT or https://HOST:PORT")
        if "@" in parts.netloc or parts.query:
            raise CallError("--url: no user, password or token in it: put the token into a file, see --token-file")
        if not self.bucket:
            raise CallError("no bucket: give --bucket, or VIPCHAOS_INFLUX_BUCKET")
        if self.api is Api.V2 and not self.org:
            raise CallError("no organisation: give --org, or VIPCHAOS_INFLUX_ORG (any word where a server has none)")

    @property
    def key(self) -> str:
        """What the ledger calls it."""
        return " ".join([self.api, self.url.rstrip("/"), *([self.org] if self.org else []), self.bucket])


class Meaning(enum.StrEnum):
    """What a reply means for the points of the request."""

    ACCEPTED = "accepted"
    LATER = "later"
    REFUSED = "refused"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply: its meaning, status (0: none came), words, and how long the server asks to wait, in seconds."""

    meaning: Meaning
    status: int = 0
    words: str = ""
    wait_s: float = 0.0


class Influx:
    """Writes lines to one destination. The token is sent, and nowhere else to be seen."""

    def __init__(self, destination: Destination, token: str) -> None:
        self._destination = destination
        self._token = token
        self._headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8"}
        self._client = InfluxDBClient(
            url=destination.url.rstrip("/"), token="", org=destination.org or "-", timeout=TIMEOUT_MS
        )
        if token and destination.api is Api.V1 and ":" in token:
            self._headers |= urllib3.make_headers(basic_auth=token)
        elif token:
            self._headers["Authorization"] = f"Token {token}"

    def close(self) -> None:
        """Close the connection."""
        self._client.close()  # type: ignore[no-untyped-call]

    def write(self, lines: list[str]) -> Reply:
        """Send the lines and return what came back. Never raises for anything that a server or a network does."""
        body = gzip.compress("\n".join(lines).encode(), _GZIP_LEVEL, mtime=0)
        path, query = self._target()
        try:
            _, status, headers = self._client.api_client.call_api(  # type: ignore[no-untyped-call]
                path, "POST", query_params=query, header_params=dict(self._headers), body=body
            )
        except ApiException as error:
            return self._refused(error)
        except (urllib3.exceptions.HTTPError, OSError, UnicodeDecodeError) as error:
            return Reply(Meaning.LATER, 0, self._clean(f"no answer: {_reason(error)}"))
        if not headers:
            return Reply(Meaning.LATER, status, f"half an answer: status {status}, and nothing more")
        if status != 204:
            words = f"status {status} where a write is answered by 204: is that a write API?"
            return Reply(Meaning.STOP, status, words)
        return Reply(Meaning.ACCEPTED, status)

    def _target(self) -> tuple[str, list[tuple[str, str]]]:
        where = self._destination
        if where.api is Api.V2:
            return "/api/v2/write", [("org", where.org), ("bucket", where.bucket), ("precision", "ns")]
        database, _, policy = where.bucket.partition("/")
        return "/write", [("db", database), *([("rp", policy)] if policy else []), ("precision", "ns")]

    def _refused(self, error: ApiException) -> Reply:
        status = int(error.status or 0)
        words = self._clean(f"status {status}: {str(error.body or error.reason or '').strip()}")
        if status == 0:
            # The client's word for a handshake that failed: of a server that is just going down, or for ever.
            return Reply(Meaning.STOP if _UNTRUSTED in words else Meaning.LATER, status, words)
        if status in (400, 413, 422):
            return Reply(Meaning.REFUSED, status, words)
        if status in (408, 425, 429) or status >= 500:
            return Reply(Meaning.LATER, status, words, _wait_s(error))
        return Reply(Meaning.STOP, status, words + _advice(status, self._destination))

    def _clean(self, words: str) -> str:
        """Server's words may repeat what was sent to it."""
        if self._token:
            words = words.replace(self._token, "***")
        return " ".join(words.split())[:LONGEST_WORDS]


def _advice(status: int, where: Destination) -> str:
    if status in (401, 403):
        return "; is the token right, and may it write to that bucket?"
    if status == 404 and where.api is Api.V2:
        return "; is the bucket there? InfluxDB 1 wants --api v1"
    return "; is the database there?" if status == 404 else "; is the URL right?"


def _wait_s(error: ApiException) -> float:
    headers: Mapping[str, str] = error.headers or {}
    asked = headers.get("Retry-After", "")
    return min(float(asked), LONGEST_WAIT_S) if asked.isdigit() else 0.0


def _reason(error: Exception) -> str:
    if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason is not None:
        return str(error.reason)
    return f"{type(error).__name__}: {error}"


def _without_secret(url: str) -> str:
    return url.rpartition("@")[2]
