"""The bus by a real server: what is acknowledged stays, what is refused is told at once, what differs is noticed."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.bus import (
    Access,
    Bucket,
    BusAwayError,
    BusDiffersError,
    BusForbiddenError,
    ConflictError,
    ConsumerGoneError,
    Entry,
    Message,
    Stream,
)
from core.errors import ConfigError
from store.bus import Bus
from tests.store.servers import Nats, nats
from tests.waiting import wait_for

USERS = """
authorization { users: [
  { user: boss, password: "p1" },
  { user: c1, password: "p2", permissions: {
      publish: ["t.records.c1.>"], subscribe: ["_INBOX_c1.>", "t.cmd.c1.>"], allow_responses: true } }
] }
"""
STREAM = Stream("T", ("t.records.>",), 3600, 1 << 30)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    with nats(tmp_path_factory.mktemp("nats"), USERS) as found:
        yield found


def member(server: Nats, tmp_path: Path, name: str, password: str) -> Bus:
    file = tmp_path / f"{name}.password"
    file.write_text(password)
    return Bus(Access((server.bus,), name, user=name, password_file=file))


@pytest.fixture
def boss(server: Nats, tmp_path: Path) -> Iterator[Bus]:
    with member(server, tmp_path, "boss", "p1") as bus:
        bus.wait()
        yield bus


def read(bus: Bus, from_seq: int, count: int) -> list[Message]:
    consumer = bus.consume("T", "t.records.>", from_seq)
    found: list[Message] = []
    while len(found) < count:
        some = consumer.fetch(count, 2.0)
        assert some
        consumer.ack(some)
        found += some
    return found


def test_what_is_published_twice_is_there_once_and_survives_a_kill(server: Nats, boss: Bus) -> None:
    boss.need_stream(STREAM)
    first = boss.publish("t.records.x.1", b"one", "x-1")
    assert boss.publish("t.records.x.1", b"one", "x-1") == first
    second = boss.publish("t.records.x.1", b"two", "x-2")
    server.kill()
    with pytest.raises(BusAwayError):
        boss.publish("t.records.x.1", b"three", "x-3", within_s=0.3)
    server.start()
    boss.wait(20)
    boss.publish("t.records.x.1", b"three", "x-3")
    assert [one.data for one in read(boss, first, 3)] == [b"one", b"two", b"three"]
    assert second == first + 1


def test_a_reader_that_the_server_has_forgotten_is_told(boss: Bus) -> None:
    boss.need_stream(STREAM)
    consumer = boss.consume("T", "t.records.none", 1)
    assert consumer.fetch(1, 0.1) == []
    boss._run(boss._js.delete_consumer("T", consumer._subscription._consumer))
    with pytest.raises(ConsumerGoneError):
        consumer.fetch(1, 0.1)


def test_what_a_member_may_not_do_is_an_error_at_once(server: Nats, boss: Bus, tmp_path: Path) -> None:
    boss.need_stream(STREAM)
    with member(server, tmp_path, "c1", "p2") as agent:
        agent.wait()
        agent.publish("t.records.c1.1", b"mine", "c1-1")
        with pytest.raises(BusForbiddenError, match=r"refuses c1: .*t\.records\.c2\.1"):
            agent.publish("t.records.c2.1", b"forged", "c2-1")
        with pytest.raises(BusForbiddenError, match=r"subscription"):
            agent.serve("t.cmd.c2.>", lambda *_: None)
        agent.serve("t.cmd.c1.>", lambda subject, data: subject.encode() + data)
        assert boss.request("t.cmd.c1.go", b"!") == b"t.cmd.c1.go!"
    with member(server, tmp_path, "c1", "wrong") as stranger, pytest.raises(BusForbiddenError, match="uthorization"):
        stranger.wait()


def test_a_stream_that_is_otherwise_is_noticed(boss: Bus) -> None:
    boss.need_stream(STREAM)
    with pytest.raises(BusDiffersError, match="overlap"):
        boss.need_stream(Stream("OTHER", ("t.records.y.>",), 3600, 1 << 30))
    boss.need_bucket(Bucket("t_plan", history=2))
    with pytest.raises(BusDiffersError, match="max_msgs_per_subject 2, wanted is 5"):
        boss.need_bucket(Bucket("t_plan", history=5))


def test_keys_are_set_compared_and_watched(boss: Bus) -> None:
    boss.need_bucket(Bucket("t_keys"))
    seen: queue.SimpleQueue[Entry] = queue.SimpleQueue()
    assert boss.get("t_keys", "a") is None
    one = boss.compare_and_set("t_keys", "a", b"1", 0)
    boss.watch("t_keys", ">", seen.put)
    assert seen.get(timeout=5) == Entry("a", b"1", one)
    with pytest.raises(ConflictError):
        boss.compare_and_set("t_keys", "a", b"2", 0)
    two = boss.compare_and_set("t_keys", "a", b"2", one)
    assert boss.put("t_keys", "a", b"3") > two
    assert [seen.get(timeout=5).data for _ in range(2)] == [b"2", b"3"]
    found = boss.get("t_keys", "a")
    assert found is not None
    assert found.data == b"3"


def test_an_answer_that_fails_is_told_and_the_next_is_given(server: Nats, boss: Bus, tmp_path: Path) -> None:
    told: list[str] = []
    file = tmp_path / "p"
    file.write_text("p1")

    def answer(_: str, data: bytes) -> bytes:
        return b"%d" % (1 // len(data))

    with Bus(Access((server.bus,), "other", user="boss", password_file=file), told.append) as other:
        other.wait()
        other.serve("t.ask", answer, at_once=True)
        with pytest.raises(BusAwayError):
            boss.request("t.ask", b"", 0.3)
        assert boss.request("t.ask", b"1") == b"1"
        wait_for(lambda: any("ZeroDivisionError" in line for line in told))


def test_a_bus_that_never_was_is_said_to_be_away(tmp_path: Path) -> None:
    with Bus(Access(("nats://127.0.0.1:1",), "c1")) as bus, pytest.raises(BusAwayError, match="does not answer"):
        bus.wait(0.3)
    with pytest.raises(ConfigError, match="no-such"):
        Bus(Access(("nats://127.0.0.1:1",), "c1", seed_file=tmp_path / "no-such"))
