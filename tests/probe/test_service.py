"""What a service is asked and what its answer tells: pure, byte by byte or at once."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.inventory import Mode, Pattern, Service
from probe.service import Seen, Wrong, bigip_member, dialogue

HTTP = Service(
    Mode.HTTP,
    "/who",
    "vip.example",
    client=Pattern("", r"client=(\S+)"),
    server=Pattern("X-Served-By", r"(.+)"),
    site=Pattern("X-Site", r"site-(\w+)"),
)
ANSWER = b"HTTP/1.1 200 OK\r\nX-Served-By: web3\r\nX-Site: site-dc1\r\nContent-Length: 17\r\n\r\nclient=10.1.100.3"


def told(service: Service, data: bytes, size: int) -> Seen | Wrong | None:
    """Feed the answer in pieces of `size` bytes; return what the first telling piece told."""
    talk = dialogue(service)
    assert talk is not None
    assert talk.question(0xAB)
    for at in range(0, len(data), size):
        found = talk.take(data[at : at + size])
        if found is not None:
            return found
    return None


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_http_tells_client_server_and_site(size: int) -> None:
    assert told(HTTP, ANSWER, size) == Seen(IPv4Address("10.1.100.3"), "web3", "dc1")
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11\r\nclient=10.1.100.3\r\n0\r\n\r\n"
    assert told(HTTP, chunked, size) == Seen(IPv4Address("10.1.100.3"), "", "")


def test_an_answer_that_was_read_before_tells_the_same_whatever_its_date() -> None:
    dated = ANSWER.replace(b"X-Site", b"Date: %s\r\nX-Site")
    days = (b"Mon, 02 Nov 2026 08:00:00 GMT", b"Tue, 03 Nov 2026 08:00:00 GMT")
    for size in (1000, 7, 1000):
        for day in days:
            for client in (b"10.1.100.3", b"10.2.100.4"):
                found = told(HTTP, (dated % day).replace(b"10.1.100.3", client), size)
                assert found == Seen(IPv4Address(client.decode()), "web3", "dc1")
    other = Service(Mode.HTTP, "/who", "vip.example")
    assert told(other, dated % days[0], 1000) == Seen(None, "", ""), "what one service tells is not another's"


def test_a_request_is_what_a_server_expects() -> None:
    talk = dialogue(HTTP)
    assert talk is not None
    assert talk.question(0xAB) == (
        b"GET /who HTTP/1.1\r\nHost: vip.example\r\nUser-Agent: vipchaos\r\nX-Vipchaos: ab\r\n\r\n"
    )


@pytest.mark.parametrize("size", [1, 1000])
def test_the_reflector_tells_what_it_saw(size: int) -> None:
    assert told(Service(), b"A ab 10.1.100.3 20001 s1\n", size) == Seen(IPv4Address("10.1.100.3"), "s1")


@pytest.mark.parametrize(
    ("service", "said", "advice"),
    [
        (Service(), b"HTTP/1.1 400 Bad Request\r\n", "it speaks HTTP: mode http"),
        (Service(), b"SSH-2.0-OpenSSH_9.2\r\n", "it speaks SSH: mode keepalive"),
        (Service(), b"what?\n", "set service.mode"),
        (Service(), b"x" * 300, "set service.mode"),
        (HTTP, b"A ab 10.1.100.3 20001 s1\n", "it speaks line"),
        (HTTP, b"\x15\x03\x01\x00\x02\x02\x16\r\n", "TLS"),
    ],
)
def test_the_wrong_mode_is_said_with_what_to_do(service: Service, said: bytes, advice: str) -> None:
    found = told(service, said, 1000)
    assert isinstance(found, Wrong)
    assert advice in found.words
    assert f"mode {service.mode}" in found.words


def test_keepalive_asks_nothing() -> None:
    assert dialogue(Service(Mode.KEEPALIVE)) is None


@pytest.mark.parametrize(
    ("cookie", "member"),
    [
        ("BIGipServerpool_http=1677787402.36895.0000; path=/", "10.1.1.100:8080"),
        ("x=1; BIGipServer~Common~web=335544330.20480.0000", "10.0.0.20:80"),
        ("BIGipServerp=99999999999.1.0000", ""),
        ("BIGipServerp=1.99999.0000", ""),
        ("BIGipServerp=rd5o00000000000000000000ffffc0000201o80", ""),
        ("session=1", ""),
    ],
)
def test_a_bigip_cookie_names_its_member(cookie: str, member: str) -> None:
    assert bigip_member(cookie) == member


@pytest.mark.parametrize("service", [Service(), HTTP])
@given(data=st.binary(max_size=200), size=st.integers(1, 50))
def test_any_bytes_are_understood_or_refused(service: Service, data: bytes, size: int) -> None:
    assert isinstance(told(service, data, size), Seen | Wrong | None)
