"""Orders: one that is signed, new and in time is taken once; whatever else comes is refused, with its reason."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.orders import FARTHEST_NS, FORMAT, VALID_NS, VERBS, Order, Post, canonical, decide, sealed

NOW_NS = 1_800_000_000_000_000_000
POST = Post("r1", "sitting", {"K1": "north", "K2": "south"})
ORDER = Order("r1", "prove", {"lease": "one", "fault": "left"}, "run", "plan", "0" * 32, NOW_NS + VALID_NS, "sitting")


def sign(key: str) -> Callable[[bytes], bytes]:
    """In the place of ed25519, of which `tests/store/test_keys.py` tells."""
    return lambda data: hmac.digest(key.encode(), data, hashlib.sha256)


def verify(key: str, data: bytes, signature: bytes) -> bool:
    return hmac.compare_digest(sign(key)(data), signature)


def reason(message: bytes, post: Post = POST, now_ns: int = NOW_NS) -> str:
    decision = decide(message, post, now_ns, verify)
    assert (decision.order is None) == (decision.refusal is not None)
    if decision.refusal is not None:
        assert decision.post == post, "a refusal changes nothing"
    return decision.refusal.reason if decision.refusal else ""


def by(key: str = "K1", **changes: object) -> bytes:
    return sealed(replace(ORDER, **changes), key, sign(key))  # type: ignore[arg-type]


def test_an_order_is_taken_and_says_whose_it_is() -> None:
    decision = decide(by(), POST, NOW_NS, verify)
    assert (decision.order, decision.who, decision.refusal) == (ORDER, "north", None)
    assert decision.post.seen == {"0" * 32: ORDER.deadline_ns}
    assert decide(by("K2"), POST, NOW_NS, verify).who == "south"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (by("K3"), "order_wrong_key"),
        (by(guard="r2"), "order_wrong_guard"),
        (by(deadline_ns=NOW_NS - 1), "order_late"),
        (by(deadline_ns=NOW_NS), ""),
        (by(deadline_ns=NOW_NS + FARTHEST_NS), ""),
        (by(deadline_ns=NOW_NS + FARTHEST_NS + 10**8), "order_early"),
        (by(sitting="before"), "order_other_sitting"),
        (by(sitting=""), "order_other_sitting"),
        (by(sitting="", do="hello"), ""),
        (by(do="rm"), "order_not_understood"),
        (by(nonce="short"), "order_not_understood"),
        (sealed(ORDER, "K1", sign("K2")), "order_forged"),
        (json.dumps({"order": canonical(ORDER).decode()}).encode(), "order_unsigned"),
        (json.dumps({"order": canonical(ORDER).decode(), "key": "K1", "signature": ""}).encode(), "order_unsigned"),
        (json.dumps({"order": canonical(ORDER).decode(), "key": "K1", "signature": "zz"}).encode(), "order_forged"),
        (json.dumps({"order": canonical(ORDER).decode(), "key": "K1", "signature": 7}).encode(), "order_unsigned"),
        (json.dumps({"order": f" {canonical(ORDER).decode()}", "key": "K1"}).encode(), "order_not_understood"),
        (b"", "order_not_understood"),
        (b"[" * 100_000, "order_not_understood"),
        (b'{"do": "hello"}', "order_not_understood"),
        (b" " * (1 << 21), "order_not_understood"),
    ],
)
def test_whatever_else_comes_is_refused(message: bytes, expected: str) -> None:
    assert reason(message) == expected


def test_a_replay_is_refused_as_long_as_it_is_not_late_and_then_for_that() -> None:
    post = decide(by(), POST, NOW_NS, verify).post
    assert reason(by(), post) == "order_replayed"
    assert reason(by(nonce="1" * 32), post) == ""
    later_ns = ORDER.deadline_ns + 1
    assert reason(by(), replace(post, seen={}), later_ns) == "order_late"
    assert decide(by(nonce="2" * 32), post, later_ns, verify).post.seen == {}, "what is late need not be remembered"


def test_who_leads_no_more_is_refused_once_another_has_spoken() -> None:
    post = decide(by(term=3), POST, NOW_NS, verify).post
    assert reason(by(nonce="1" * 32, term=2), post) == "order_not_leading"
    assert reason(by("K2", nonce="1" * 32, term=3), post) == ""
    assert reason(by("K2", nonce="1" * 32, term=4, do="hello", sitting=""), post) == ""


def test_the_same_order_has_the_same_bytes_and_they_begin_with_what_they_are() -> None:
    other = replace(ORDER, arguments={"fault": "left", "lease": "one"})
    assert canonical(other) == canonical(ORDER)
    assert FORMAT.endswith(b"\n")
    signed: list[bytes] = []
    sealed(ORDER, "K1", lambda data: signed.append(data) or b"")  # type: ignore[func-returns-value]
    assert signed == [FORMAT + canonical(ORDER)]


WORDS = st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
ORDERS = st.builds(
    Order,
    guard=st.just("r1") | WORDS,
    do=st.sampled_from(sorted(VERBS)),
    arguments=st.dictionaries(WORDS, VALUES, max_size=4),
    run=WORDS,
    plan=WORDS,
    nonce=st.binary(min_size=16, max_size=16).map(bytes.hex),
    deadline_ns=st.integers(NOW_NS - FARTHEST_NS, NOW_NS + 2 * FARTHEST_NS),
    sitting=st.just("sitting") | WORDS,
    term=st.integers(0, 5),
)


@given(ORDERS)
def test_what_is_taken_is_what_was_signed(order: Order) -> None:
    decision = decide(sealed(order, "K1", sign("K1")), POST, NOW_NS, verify)
    if decision.order is not None:
        assert decision.order == order
        assert order.guard == "r1"
        assert NOW_NS <= order.deadline_ns <= NOW_NS + FARTHEST_NS
        assert order.sitting == "sitting" or order.do == "hello"


@given(ORDERS, st.data())
def test_no_byte_of_it_may_be_another(order: Order, data: st.DataObject) -> None:
    message = bytearray(sealed(order, "K1", sign("K1")))
    at = data.draw(st.integers(0, len(message) - 1))
    message[at] ^= data.draw(st.integers(1, 255))
    decision = decide(bytes(message), POST, NOW_NS, verify)
    # A blank between the fields, or the case of a digit of the signature, is not signed and changes nothing.
    assert decision.order in (None, order)


@given(st.lists(ORDERS, max_size=8))
def test_of_any_orders_in_any_order_each_is_taken_once(orders: list[Order]) -> None:
    post, taken = POST, []
    for order in [*orders, *orders, *reversed(orders)]:
        decision = decide(sealed(order, "K1", sign("K1")), post, NOW_NS, verify)
        post = decision.post
        if decision.order is not None:
            taken.append(order.nonce)
            assert order.term == post.term
    assert len(taken) == len(set(taken))


@given(st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_nonsense_is_refused_and_never_raises(message: bytes) -> None:
    assert reason(message) == "order_not_understood"
