"""The bus in values: who comes to it, what is kept on it, what comes from it, and what goes wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.errors import ConfigError, PrivilegeError, VipchaosError


class BusAwayError(VipchaosError):
    """The bus does not answer; what was sent may or may not have come to it, and may be sent again."""

    exit_code = 5


class BusForbiddenError(PrivilegeError):
    """The server refuses this member of the bus, or what it asked for. Exit code 6."""


class BusDiffersError(ConfigError):
    """A stream, bucket or consumer of the server is not what was asked for. Exit code 4."""


class ConflictError(Exception):
    """Somebody else has written the key meanwhile."""


class ConsumerGoneError(Exception):
    """The server has forgotten a consumer: make it again."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where the bus is and who comes to it. The secret is in a file: an NKey seed, a password, or none (tests).

    `name` is the member's own (an agent's is its vantage's); its answers come to `_INBOX_<name>`.
    """

    servers: tuple[str, ...]
    name: str
    seed_file: Path | None = None
    user: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as it is wanted: on disk, oldest messages out when they are `age_s` old or more than `bytes`."""

    name: str
    subjects: tuple[str, ...]
    age_s: float
    bytes: int
    duplicates_s: float = 120.0
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class Bucket:
    """A key-value bucket as it is wanted; `age_s` 0: values stay."""

    name: str
    history: int = 1
    age_s: float = 0.0
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a stream; `seq` is its number there."""

    seq: int
    subject: str
    data: bytes
    reply: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A value of a bucket; `data` None: the key was deleted. `revision` is what a compare-and-set must name."""

    key: str
    data: bytes | None
    revision: int


def token(name: str) -> str:
    """Return a name as one token of a subject or a key: dots, which part tokens there, become `=`."""
    return name.replace(".", "=")


RECORDS = Stream("VIPCHAOS_RECORDS", ("vipchaos.events.*.records",), 7 * 86_400, 10 << 30)
"""What agents have seen. A controller that is away for longer, or for more bytes, is told what it has missed."""
PLAN = Bucket("vipchaos_plan", history=5)
"""What agents are to do: the key `plan`."""
AGENTS = Bucket("vipchaos_agents")
"""How each agent stands: a key for each."""
CLOCK_SUBJECT = "vipchaos.clock"
"""What a controller answers with the instant of its clock."""


def records_subject(agent: str) -> str:
    """Return the only subject that an agent's records may come by."""
    return f"vipchaos.events.{token(agent)}.records"


AGENTS_ASK = (
    CLOCK_SUBJECT,
    f"$JS.API.STREAM.INFO.KV_{PLAN.name}",
    f"$JS.API.STREAM.MSG.GET.KV_{PLAN.name}",
    f"$JS.API.DIRECT.GET.KV_{PLAN.name}.>",
)
"""What each agent may ask: the controller for its clock, the server for the plan. It changes nothing there."""


def agent_publishes(agent: str) -> tuple[str, ...]:
    """Return what an agent must be let publish: its own records and standing, and what all agents may ask."""
    return (f"vipchaos.events.{token(agent)}.>", f"$KV.{AGENTS.name}.{token(agent)}", *AGENTS_ASK)
