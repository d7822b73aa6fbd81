"""The door to nats-py, with `store.bus_kept`: a connection to the bus (NATS JetStream) behind calls that block.

The client's loop runs on a thread of its own. Whoever is refused is told at once: the server answers a forbidden
publish with silence and an error beside it, which here ends the call.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js import errors as js_errors
from nats.js.kv import KeyValue

from core.bus import (
    Access,
    Bucket,
    BusAwayError,
    BusDiffersError,
    BusForbiddenError,
    ConflictError,
    Entry,
    Stream,
    token,
)
from core.errors import ConfigError, VipchaosError
from store import bus_kept as kept
from store.bus_kept import Reader

R = TypeVar("R")
WITHIN_S = 5.0
RECONNECT_S = 0.25
PING_S = 5
REFUSED = re.compile(r"permissions violation|authorization violation|authentication", re.IGNORECASE)
_SUBJECT = re.compile(r'violation for [a-z ]+ to "?([^"\s]+)', re.IGNORECASE)
_ANSWERERS = 8


class Bus:
    """A member's connection. It is made in the background and made again for ever; `told` gets a line of each change.

    All calls may be made from any thread but those that `serve` answers on at once. Each raises BusAwayError where the
    bus does not answer in time, and BusForbiddenError where the server refuses.
    """

    def __init__(self, access: Access, told: Callable[[str], None] = lambda _: None) -> None:
        self.access = access
        self.refused = ""
        self._told = told
        options = self._options()
        self._client = Client()
        self._js: JetStreamContext = self._client.jetstream(timeout=WITHIN_S)
        self._waiting: dict[str, set[asyncio.Future[VipchaosError]]] = {}
        self._answerers = ThreadPoolExecutor(_ANSWERERS, thread_name_prefix="bus answer")
        self._kept: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"bus {access.name}", daemon=True)
        self._thread.start()
        self._connecting = asyncio.run_coroutine_threadsafe(self._client.connect(**options), self._loop)

    def _options(self) -> dict[str, Any]:
        access = self.access
        options: dict[str, Any] = {
            "servers": list(access.servers),
            "name": access.name,
            "inbox_prefix": f"_INBOX_{token(access.name)}",
            "error_cb": self._on_error,
            "disconnected_cb": self._on_disconnected,
            "reconnected_cb": self._on_reconnected,
            "max_reconnect_attempts": -1,
            "reconnect_time_wait": RECONNECT_S,
            "connect_timeout": 2,
            "ping_interval": PING_S,
        }
        try:
            if access.seed_file is not None:
                access.seed_file.read_bytes()  # a missing file is said now
                options["nkeys_seed"] = str(access.seed_file)
            if access.password_file is not None:
                options["user"] = access.user or access.name
                options["password"] = access.password_file.read_text("utf-8").strip()
            if access.ca_file is not None:
                options["tls"] = ssl.create_default_context(cafile=str(access.ca_file))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the bus cannot be entered: {error}") from error
        return options

    def __enter__(self) -> Bus:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def connected(self) -> bool:
        """Whether the bus is there now."""
        return bool(self._client.is_connected)

    def wait(self, within_s: float = WITHIN_S) -> None:
        """Return once the connection is made."""
        until_s = time.monotonic() + within_s
        while not self.connected:
            if self.refused:
                raise BusForbiddenError(self._words())
            if time.monotonic() > until_s:
                raise BusAwayError(f"the bus at {', '.join(self.access.servers)} does not answer")
            time.sleep(0.02)

    def close(self) -> None:
        """End the connection and the thread. A second call is harmless."""
        if not self._thread.is_alive():
            return
        self._connecting.cancel()
        with contextlib.suppress(Exception):
            asyncio.run_coroutine_threadsafe(self._client.close(), self._loop).result(WITHIN_S)
        asyncio.run_coroutine_threadsafe(_end_all(), self._loop).result(WITHIN_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._answerers.shutdown(wait=False)

    def need_stream(self, wanted: Stream) -> None:
        """Make the stream, or bring it to what is wanted, and compare. Raises BusDiffersError."""
        self._run(kept.need_stream(self._js, wanted))

    def need_bucket(self, wanted: Bucket) -> None:
        """Make the bucket where there is none, and compare. Raises BusDiffersError."""
        self._run(kept.need_bucket(self._js, wanted))

    def last_seq(self, stream: str) -> int:
        """Return the number of the last message of a stream, 0 where there was none."""

        async def last() -> int:
            return int((await self._js.stream_info(stream)).state.last_seq)

        return self._run(last())

    def publish(self, subject: str, data: bytes, message_id: str, within_s: float = WITHIN_S) -> int:
        """Publish into a stream and return the message's number there, once the server has it on disk.

        A message of the same id within the stream's window is stored once.
        """

        async def publish() -> int:
            ack = await self._js.publish(subject, data, timeout=within_s, headers={"Nats-Msg-Id": message_id})
            return int(ack.seq)

        return self._run(publish(), within_s, subject)

    def request(self, subject: str, data: bytes, within_s: float = WITHIN_S) -> bytes:
        """Ask, and return the first answer."""

        async def request() -> bytes:
            return bytes((await self._client.request(subject, data, timeout=within_s)).data)

        return self._run(request(), within_s, subject)

    def serve(self, subject: str, answer: Callable[[str, bytes], bytes | None], *, at_once: bool = False) -> None:
        """Answer requests: `answer` is given subject and data, and returns the reply (None: none).

        It is called on a thread of a pool; with `at_once` on the connection's own, where it must neither block nor
        call this object. What it raises is told, and not answered.
        """

        async def reply(message: Msg) -> None:
            try:
                if at_once:
                    found = answer(message.subject, bytes(message.data))
                else:
                    subject, data = message.subject, bytes(message.data)
                    found = await self._loop.run_in_executor(self._answerers, answer, subject, data)
                if found is not None and message.reply:
                    await self._client.publish(message.reply, found)
            except Exception as error:  # noqa: BLE001  one request must not end the service
                self._told(f"{message.subject}: no answer is given: {error!r}")

        async def received(message: Msg) -> None:
            if at_once:
                await reply(message)
            else:
                task = asyncio.create_task(reply(message))
                self._kept.add(task)
                task.add_done_callback(self._forget)

        async def subscribe() -> None:
            await self._client.subscribe(subject, cb=received)
            for _ in range(2):  # the client's first ping may overtake what it was to follow
                await self._client.flush()

        self._run(subscribe(), subject=subject)

    def consume(self, stream: str, subject: str, from_seq: int, ahead: int = 256) -> Reader:
        """Return a reader of a stream from message `from_seq` on, in the stream's order. Raises BusDiffersError."""
        name = f"{token(self.access.name).replace('/', '-')}-{secrets.token_hex(6)}"

        async def bind() -> JetStreamContext.PullSubscription:
            await kept.need_reader(self._js, stream, name, subject, max(1, from_seq), ahead)
            return await self._js.pull_subscribe_bind(consumer=name, stream=stream)

        return Reader(self._run, self._client, self._run(bind()))

    def get(self, bucket: str, key: str) -> Entry | None:
        """Return a key's value, None where there is none."""

        async def get() -> Entry | None:
            try:
                found = await (await self._js.key_value(bucket)).get(key)
            except js_errors.KeyNotFoundError:
                return None
            return Entry(key, found.value, found.revision or 0)

        return self._run(get())

    def put(self, bucket: str, key: str, data: bytes) -> int:
        """Write a value, whatever was there, and return its revision."""

        async def put() -> int:
            return int((await self._js.publish(f"$KV.{bucket}.{key}", data)).seq)

        return self._run(put(), subject=f"$KV.{bucket}.{key}")

    def compare_and_set(self, bucket: str, key: str, data: bytes, revision: int) -> int:
        """Write a value if the last one is of `revision` (0: there is none), and return the new revision.

        Raises ConflictError when it is not.
        """

        async def update() -> int:
            try:
                return await (await self._js.key_value(bucket)).update(key, data, last=revision)
            except js_errors.KeyWrongLastSequenceError as error:
                raise ConflictError(str(error)) from error

        return self._run(update(), subject=f"$KV.{bucket}.{key}")

    def watch(self, bucket: str, keys: str, seen: Callable[[Entry], None]) -> None:
        """Have `seen` told each value that `keys` (a subject pattern) has now, and each later one, in order.

        It is called on a thread of a pool, one value at a time. What it raises is told.
        """

        async def follow(watcher: KeyValue.KeyWatcher) -> None:
            async for found in watcher:
                if found is None:
                    continue
                entry = Entry(found.key, None if found.operation else bytes(found.value or b""), found.revision or 0)
                try:
                    await self._loop.run_in_executor(self._answerers, seen, entry)
                except Exception as error:  # noqa: BLE001  one value must not end the watch
                    self._told(f"{bucket} {found.key}: cannot be taken: {error!r}")

        async def watch() -> None:
            watcher = await (await self._js.key_value(bucket)).watch(keys)
            task = asyncio.create_task(follow(watcher))
            self._kept.add(task)
            task.add_done_callback(self._forget)

        self._run(watch())

    def _run(self, work: Coroutine[Any, Any, R], within_s: float = WITHIN_S, subject: str = "") -> R:
        future = asyncio.run_coroutine_threadsafe(self._guarded(work, within_s, subject), self._loop)
        return future.result()

    async def _guarded(self, work: Coroutine[Any, Any, R], within_s: float, subject: str) -> R:
        cut: asyncio.Future[VipchaosError] = self._loop.create_future()
        self._waiting.setdefault(subject, set()).add(cut)
        task = self._loop.create_task(work)
        both: set[asyncio.Future[Any]] = {task, cut}
        try:
            await asyncio.wait(both, timeout=within_s + 1.0, return_when=asyncio.FIRST_COMPLETED)
            if cut.done():
                raise cut.result()
            if not task.done():
                raise TimeoutError
            return task.result()
        except (js_errors.APIError, nats.errors.Error, TimeoutError, OSError) as error:
            raise self._meaning(error, subject) from error
        finally:
            if not task.done():  # cancelled inside a flush it would end the connection; each call has an end of its own
                self._kept.add(task)
                task.add_done_callback(self._forget)
            cut.cancel()
            self._waiting[subject].discard(cut)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._kept.discard(task)
        if not task.cancelled():
            task.exception()  # nobody waits for it any more

    def _meaning(self, error: Exception, subject: str) -> VipchaosError:
        where = f" ({subject})" if subject else ""
        if self.refused and not self.connected:
            return BusForbiddenError(self._words())
        known = isinstance(error, js_errors.APIError) and error.code is not None and error.code < 500
        if known and not isinstance(error, js_errors.NoStreamResponseError):
            return BusDiffersError(f"the bus refuses what it was asked{where}: {error}")
        words = str(error) or type(error).__name__
        return BusAwayError(f"the bus at {', '.join(self.access.servers)} does not answer{where}: {words}")

    def _words(self) -> str:
        return f"the bus at {', '.join(self.access.servers)} refuses {self.access.name}: {self.refused}"

    async def _on_error(self, error: Exception) -> None:
        words = str(error)
        if not REFUSED.search(words):
            return
        if self.refused != words:
            self.refused = words
            self._told(self._words())
        found = _SUBJECT.search(words)
        named = self._waiting.get(found[1].rstrip("'"), set()) if found else None
        # An agent's call of the server's own interface names no subject of ours: then all that wait are told.
        self._cut(BusForbiddenError(self._words()), named)

    def _cut(self, error: VipchaosError, those: set[asyncio.Future[VipchaosError]] | None = None) -> None:
        """End calls that wait, or all of them."""
        for future in list(those or [each for some in self._waiting.values() for each in some]):
            if not future.done():
                future.set_result(error)

    async def _on_disconnected(self) -> None:
        self._cut(BusAwayError(f"the bus at {', '.join(self.access.servers)} has gone"))
        self._told("the bus is away")

    async def _on_reconnected(self) -> None:
        self.refused = ""
        self._told("the bus is back")


async def _end_all() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
