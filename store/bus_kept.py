"""What is kept on the bus: streams, buckets and readers, made, then read back and compared with what was wanted.

An older server takes options that it does not know, and drops them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nats.aio.client import Client
from nats.js import JetStreamContext, api
from nats.js import errors as js_errors

from core.bus import Bucket, BusDiffersError, ConsumerGoneError, Message, Stream

Run = Callable[..., Any]
"""(coroutine, seconds) -> what it returns: `store.bus.Bus` runs it."""

FORGOTTEN_S = 60.0
ACK_WITHIN_S = 600.0
FETCH_SPARE_S = 5.0


async def need_stream(js: JetStreamContext, wanted: Stream) -> None:
    """Make the stream, or bring it to what is wanted. Raises BusDiffersError."""
    config = api.StreamConfig(
        name=wanted.name,
        subjects=list(wanted.subjects),
        retention=api.RetentionPolicy.LIMITS,
        storage=api.StorageType.FILE,
        discard=api.DiscardPolicy.OLD,
        max_age=wanted.age_s,
        max_bytes=wanted.bytes,
        duplicate_window=wanted.duplicates_s,
        num_replicas=wanted.replicas,
    )
    try:
        await js.stream_info(wanted.name)
        await js.update_stream(config)
    except js_errors.NotFoundError:
        await js.add_stream(config)
    found = (await js.stream_info(wanted.name)).config
    names = ("name", "subjects", "retention", "storage", "discard", "max_age", "max_bytes")
    _compare(f"stream {wanted.name}", config, found, (*names, "duplicate_window", "num_replicas"))


async def need_bucket(js: JetStreamContext, wanted: Bucket) -> None:
    """Make the bucket where there is none. Raises BusDiffersError."""
    try:
        await js.key_value(wanted.name)
    except js_errors.BucketNotFoundError:
        config = api.KeyValueConfig(
            bucket=wanted.name, history=wanted.history, ttl=wanted.age_s or None, replicas=wanted.replicas
        )
        await js.create_key_value(config)
    found = (await js.stream_info(f"KV_{wanted.name}")).config
    expected = api.StreamConfig(
        subjects=[f"$KV.{wanted.name}.>"],
        max_msgs_per_subject=wanted.history,
        max_age=wanted.age_s,
        num_replicas=wanted.replicas,
    )
    names = ("subjects", "max_msgs_per_subject", "max_age", "num_replicas")
    _compare(f"bucket {wanted.name}", expected, found, names)


async def need_reader(js: JetStreamContext, stream: str, name: str, subject: str, from_seq: int, ahead: int) -> None:
    """Make a reader of a stream that begins at message `from_seq`. Raises BusDiffersError."""
    config = api.ConsumerConfig(
        name=name,
        deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=from_seq,
        ack_policy=api.AckPolicy.EXPLICIT,
        ack_wait=ACK_WITHIN_S,
        max_ack_pending=4 * ahead,
        filter_subject=subject,
        inactive_threshold=FORGOTTEN_S,
    )
    found = (await js.add_consumer(stream, config)).config
    names = ("name", "deliver_policy", "opt_start_seq", "ack_policy", "ack_wait", "max_ack_pending", "filter_subject")
    _compare(f"reader {name}", config, found, (*names, "inactive_threshold"))


class Reader:
    """Reads a stream in order. The server forgets it when it is not asked for a minute."""

    def __init__(self, run: Run, client: Client, subscription: JetStreamContext.PullSubscription) -> None:
        self._run = run
        self._client = client
        self._subscription = subscription

    def fetch(self, count: int, within_s: float) -> list[Message]:
        """Return up to `count` messages, none when there are none within `within_s`. Raises ConsumerGoneError."""

        async def fetch() -> list[Message]:
            try:
                found = await self._subscription.fetch(count, timeout=within_s)
            except TimeoutError:
                try:
                    await self._subscription.consumer_info()
                except js_errors.NotFoundError as error:
                    raise ConsumerGoneError from error
                return []
            return [Message(one.metadata.sequence.stream, one.subject, bytes(one.data), one.reply) for one in found]

        found: list[Message] = self._run(fetch(), within_s + FETCH_SPARE_S)
        return found

    def ack(self, messages: Sequence[Message]) -> None:
        """Tell the server that these need not be given again."""

        async def ack() -> None:
            for message in messages:
                await self._client.publish(message.reply, b"+ACK")

        self._run(ack(), FETCH_SPARE_S)

    def close(self) -> None:
        """Have no more of it."""
        self._run(self._subscription.unsubscribe(), FETCH_SPARE_S)


def _compare(what: str, wanted: object, found: object, names: Sequence[str]) -> None:
    for name in names:
        expected, seen = getattr(wanted, name), getattr(found, name)
        if (expected or None) != (seen or None):
            raise BusDiffersError(f"{what} on the bus has {name} {seen!r}, wanted is {expected!r}")
