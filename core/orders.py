"""Orders to a guard that come over the bus: what is signed, and whether a guard takes one, as one decision.

An order is taken once, in time, by the guard that it names, and only when it is signed by a key that this guard
trusts. The bus carries it and is trusted with nothing: whoever can publish there, or keep a message and send it again,
or hold it up, gets a refusal. The key of an order is none that connects to the bus: a server has whoever connects sign
bytes of its own choice (NKey authentication), and those might be an order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from core.refusals import Refusal

FORMAT = b"vipchaos order 1\n"
"""Stands ahead of what is signed, so that no signature for something else is one of an order."""
VALID_NS = 10_000_000_000
"""So long after it was signed an order may come; the clocks of both ends may differ by less."""
FARTHEST_NS = 30_000_000_000
"""An order whose deadline is farther away is refused: its nonce would have to be kept for as long."""
LONGEST_BYTES = 1 << 20
HELLO = "hello"
VERBS = frozenset({HELLO, "arm", "inject", "prove", "standing", "release", "abandon"})

Sign = Callable[[bytes], bytes]
Verify = Callable[[str, bytes, bytes], bool]
"""(public key, signed bytes, signature) -> whether it is that key's."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order: the `guard` it is for, what to `do` with which `arguments` (JSON), for which `run` by which `plan`.

    `nonce`: no other order has it. `deadline_ns`: wall clock; later it is refused. `sitting`: the guard's own word
    since it started to listen, which it tells to a `hello`, the only order without one: so nothing that was taken by a
    guard before a restart is taken again. `term`: which leadership among the controllers gave it.
    """

    guard: str
    do: str
    arguments: Mapping[str, object]
    run: str
    plan: str
    nonce: str
    deadline_ns: int
    sitting: str = ""
    term: int = 0


@dataclass(frozen=True, slots=True)
class Post:
    """What a guard holds orders against: its name, its sitting, the keys that it trusts (key: whose), and its memory.

    `seen`: the nonces of orders that were taken and are not late yet, with their deadlines. `term`: the latest that an
    order was taken of.
    """

    guard: str
    sitting: str
    trusted: Mapping[str, str]
    seen: Mapping[str, int] = field(default_factory=dict)
    term: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one message: the `order` that is taken, or the `refusal`; and the post after it.

    `who`: whose key signed it, '' when that is not proven. `said`: what the message says of itself, proven or not.
    """

    post: Post
    who: str = ""
    order: Order | None = None
    refusal: Refusal | None = None
    said: Mapping[str, object] = field(default_factory=dict)


def canonical(order: Order) -> bytes:
    """Return the one way in which an order is written: JSON, keys sorted, no blanks, ASCII."""
    body = {key: getattr(order, key) for key in Order.__slots__}
    return json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def sealed(order: Order, key: str, sign: Sign) -> bytes:
    """Return the message that carries an order: its bytes, and `key`'s signature of them."""
    text = canonical(order)
    signature = sign(FORMAT + text).hex()
    return json.dumps({"order": text.decode("ascii"), "key": key, "signature": signature}).encode("ascii")


def decide(message: bytes, post: Post, now_ns: int, verify: Verify) -> Decision:
    """Return whether the guard of `post` takes a message at `now_ns` (wall clock), and its memory afterwards."""
    post = replace(post, seen={nonce: until_ns for nonce, until_ns in post.seen.items() if until_ns >= now_ns})
    opened = _opened(message)
    if isinstance(opened, Refusal):
        return Decision(post, refusal=opened)
    order, text, key, signature = opened
    said = {"do": order.do, "run": order.run, "plan": order.plan, "guard": order.guard, "key": key}
    refusal = _by_key(text, key, signature, post, verify)
    if refusal is not None:
        return Decision(post, refusal=refusal, said=said)
    who = post.trusted[key]
    refusal = _by_time(order, now_ns) or _by_memory(order, post)
    if refusal is not None:
        return Decision(post, who, refusal=refusal, said=said)
    after = replace(post, seen={**post.seen, order.nonce: order.deadline_ns}, term=order.term)
    return Decision(after, who, order, said=said)


def _opened(message: bytes) -> tuple[Order, bytes, str, str] | Refusal:
    """Return the order of a message, its bytes, the key and the signature as they are said."""
    if len(message) > LONGEST_BYTES:
        return Refusal("order_not_understood", f"{len(message)} bytes, at most {LONGEST_BYTES} are read")
    try:
        body = json.loads(message)
        text, key, signature = str(body["order"]).encode(), body.get("key", ""), body.get("signature", "")
        order = Order(**json.loads(text))
        if not _is_one(order) or canonical(order) != text or not isinstance(key, str):
            raise ValueError("a field is not of its kind, or written in another way")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return Refusal("order_not_understood", f"this is no order: {type(error).__name__}: {error}"[:200])
    return order, text, key, signature if isinstance(signature, str) else ""


def _is_one(order: Order) -> bool:
    words = (order.guard, order.do, order.run, order.plan, order.nonce, order.sitting)
    numbers = (order.deadline_ns, order.term)
    return (
        all(isinstance(word, str) for word in words)
        and all(type(number) is int and number >= 0 for number in numbers)
        and isinstance(order.arguments, dict)
        and order.do in VERBS
        and len(order.nonce) >= 32
    )


def _by_key(text: bytes, key: str, signature: str, post: Post, verify: Verify) -> Refusal | None:
    if not key or not signature:
        return Refusal("order_unsigned", "the order is not signed")
    if key not in post.trusted:
        return Refusal("order_wrong_key", f"it is signed by the key {key[:60]}, which this guard does not trust")
    try:
        good = verify(key, FORMAT + text, bytes.fromhex(signature))
    except ValueError:
        good = False
    if not good:
        return Refusal("order_forged", f"its signature is not that of {post.trusted[key]}")
    return None


def _by_time(order: Order, now_ns: int) -> Refusal | None:
    late_s = (now_ns - order.deadline_ns) / 1e9
    if late_s > 0:
        words = f"it came {late_s:.1f} s after its deadline: it was held up, or the clocks of both ends differ"
        return Refusal("order_late", words)
    if -late_s > FARTHEST_NS / 1e9:
        words = f"its deadline is {-late_s:.1f} s away, at most {FARTHEST_NS / 1e9:g} s are taken: the clocks differ"
        return Refusal("order_early", words)
    return None


def _by_memory(order: Order, post: Post) -> Refusal | None:
    if order.guard != post.guard:
        return Refusal("order_wrong_guard", f"it is for guard {order.guard[:63]}, this is {post.guard}")
    if order.nonce in post.seen:
        return Refusal("order_replayed", "this order was taken before")
    if order.sitting != post.sitting and order.do != HELLO:
        return Refusal("order_other_sitting", "it was signed for this guard as it was before its last start")
    if order.term < post.term:
        words = f"it is of leadership {order.term}, and another controller leads since ({post.term})"
        return Refusal("order_not_leading", words)
    return None
