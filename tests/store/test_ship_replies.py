"""What a server says, and what becomes of the points: waited out, kept with its words, or no more shipping."""

from __future__ import annotations

import subprocess
from itertools import count
from pathlib import Path

import pytest

from core.errors import CallError
from store import influx
from store.feed import Feed
from store.influx import Api, Destination, Influx, Meaning, Reply
from store.ship_ledger import standings
from store.shipper import Clocks, Shipper, ShippingForbiddenError, ShippingStoppedError, waits_s
from tests.store.journals import WALL_NS, busy, make_run
from tests.store.ship_world import TOKEN, Sink, World
from tests.store.standin import HALF, HALF_BODY, HANG_UP, NOTHING, Said, standing_in


def test_waiting_grows_by_chance_to_a_minute_and_is_never_less_than_asked() -> None:
    assert [waits_s(n, 0, 0.0) for n in range(9)] == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30]
    assert [waits_s(n, 0, 0.999) <= min(60, 0.5 * 2**n) for n in range(40)] == [True] * 40
    assert waits_s(0, 17.0, 0.5) == 17.0


@pytest.mark.parametrize(
    "said",
    [
        Said(429, "slow down", (("Retry-After", "7"),)),
        Said(503, "overloaded"),
        Said(500, '{"code":"internal error"}'),
        Said(HALF),
        Said(HALF_BODY),
        Said(HANG_UP),
        Said(NOTHING),
    ],
    ids=lambda said: str(said.status),
)
def test_an_outage_is_waited_out(world: World, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(influx, "TIMEOUT_MS", (500, 500))
    make_run(world.runs, "r", {"c1": busy("c1", 20)})
    bad = iter([True, True, False, True])
    with standing_in(lambda _: said if next(bad, False) else Said(204)) as there:
        sink = Influx(Destination(there.url, "o", "b", Api.V2), TOKEN)
        world.ship(sink, points=30)
        sink.close()
        facts = [line for line in there.lines if not line.startswith("shipper,")]
    assert sorted(facts) == sorted(Feed({}, "test", world.runs).take(10_000).lines)
    asked_s = 7.0 if said.status == 429 else 0
    assert world.waited_s[:3] == [max(asked_s, waited_s) for waited_s in (0.375, 0.75, 0.375)]
    assert world.dead() == []
    assert sum("so far" not in words for words in world.told) == 4
    assert world.told[0].startswith("shipping waits, ")
    assert said.status < 0 or f"status {said.status}: {said.body}" in world.told[0]
    assert TOKEN not in "".join(world.told)


def test_a_server_that_is_not_there_is_waited_for(world: World) -> None:
    make_run(world.runs, "r", {"c1": busy("c1", 2)})
    sink = Influx(Destination("http://127.0.0.1:9", "o", "b", Api.V2), TOKEN)

    def give_up(waited_s: float) -> None:
        world.waited_s.append(waited_s)
        if len(world.waited_s) == 4:
            world.stop.set()

    ledger = world.ledger()
    clocks = Clocks(world.stop, lambda: 0.5, lambda: WALL_NS, count().__next__, give_up)
    Shipper(Feed({}, "test", world.runs), sink, ledger, clocks, "test", world.told.append).run(once=True)
    assert ledger.cursors() == {}
    assert "refused" in world.told[0].lower()
    standing = ledger.standing()
    assert standing is not None
    assert (standing.state, standing.words) == ("ended", "told to stop")


def test_the_refused_points_alone_are_kept_with_the_words(world: World) -> None:
    make_run(world.runs, "r", {"c1": busy("c1", 100, slots=60)})
    everything = Feed({}, "test", world.runs).take(10_000).lines
    bad = {everything[7], everything[8], everything[333], everything[-1]}

    def answer(lines: list[str]) -> Said:
        found = bad & set(lines)
        return Said(400, f'{{"message":"unable to parse {len(found)} for {TOKEN}"}}') if found else Said(204)

    with standing_in(answer) as there:
        sink = Influx(Destination(there.url, "o", "b", Api.V2), TOKEN)
        world.ship(sink, points=200)
        sink.close()
        facts = [line for line in there.lines if not line.startswith("shipper,")]
        requests = len(there.sizes)
    assert sorted(facts) == sorted(set(everything) - bad)
    assert {letter.line for letter in world.dead()} == bad
    assert {letter.words for letter in world.dead()} == {'status 400: {"message":"unable to parse 1 for ***"}'}
    assert requests < 4 * 2 * 9
    assert all(letter.wall_ns == WALL_NS for letter in world.dead())


def test_a_batch_that_is_too_large_is_halved(world: World) -> None:
    make_run(world.runs, "r", {"c1": busy("c1", 40)})
    sink = Sink(lambda lines: Reply(Meaning.REFUSED, 413) if len(lines) > 50 else Reply(Meaning.ACCEPTED))
    world.ship(sink)
    assert len(sink.facts) == 201
    assert world.dead() == []


@pytest.mark.parametrize(
    ("said", "error", "code"),
    [
        (Said(401, "unauthorized access"), ShippingForbiddenError, 6),
        (Said(403, "forbidden"), ShippingForbiddenError, 6),
        (Said(404, 'bucket "b" not found'), ShippingStoppedError, 4),
        (Said(405), ShippingStoppedError, 4),
        (Said(301, "", (("Location", "http://elsewhere.invalid/"),)), ShippingStoppedError, 4),
        (Said(200, "<html>welcome</html>"), ShippingStoppedError, 4),
    ],
    ids=lambda value: str(getattr(value, "status", "")),
)
def test_what_will_never_be_taken_stops_shipping(world: World, said: Said, error: type[Exception], code: int) -> None:
    make_run(world.runs, "r", {"c1": busy("c1", 2)})
    with standing_in(lambda _: said) as there:
        sink = Influx(Destination(there.url, "o", "b", Api.V2), TOKEN)
        with pytest.raises(error, match=f"shipping stops, status {said.status}") as raised:
            world.ship(sink)
        sink.close()
    assert raised.value.exit_code == code  # type: ignore[attr-defined]
    assert world.ledger().cursors() == {}
    (standing,) = standings(world.path / "ship.db")
    assert standing.state == "stopped"
    assert TOKEN not in standing.words


def test_a_certificate_that_nobody_vouches_for_stops_shipping(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.pem"
    words = [
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=own",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    argv = ["openssl", "req", "-x509", *words, "-keyout", str(own), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(argv, check=True, capture_output=True)
    with own.open("a") as file:
        file.write((tmp_path / "cert.pem").read_text())
    make_run(world.runs, "r", {"c1": busy("c1", 2)})
    with standing_in(certificate=own) as there:
        sink = Influx(Destination(there.url, "o", "b", Api.V2), TOKEN)
        with pytest.raises(ShippingStoppedError, match="CERTIFICATE_VERIFY_FAILED"):
            world.ship(sink)
        assert there.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        trusting = Influx(Destination(there.url, "o", "b", Api.V2), TOKEN)
        world.ship(trusting)
        assert len(there.asked) == 2


def test_what_is_sent_to_which_api(world: World) -> None:
    make_run(world.runs, "r", {"c1": busy("c1", 2)})
    with standing_in() as there:
        for destination, token in (
            (Destination(f"{there.url}/", "an org", "b&b", Api.V2), TOKEN),
            (Destination(there.url, "", "db/rp", Api.V1), "user:pass"),
            (Destination(there.url, "", "db", Api.V1), ""),
        ):
            sink = Influx(destination, token)
            assert sink.write(["a,b=c d=1i 1"]).meaning is Meaning.ACCEPTED
            sink.close()
    (two, one, none) = there.asked
    assert two[0] == "/api/v2/write?org=an+org&bucket=b%26b&precision=ns"
    assert two[1]["Authorization"] == f"Token {TOKEN}"
    assert one[0] == "/write?db=db&rp=rp&precision=ns"
    assert one[1]["authorization"] == "Basic dXNlcjpwYXNz"
    assert none[0] == "/write?db=db&precision=ns"
    assert "authorization" not in {name.lower() for name in none[1]}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ftp://x", "o", "b", Api.V2), "want http://HOST:PORT"),
        (("http://", "o", "b", Api.V2), "want http://HOST:PORT"),
        (("http://me:secret@x", "o", "b", Api.V2), "no user, password or token"),
        (("http://x?token=secret", "o", "b", Api.V2), "no user, password or token"),
        (("http://x", "", "b", Api.V2), "no organisation"),
        (("http://x", "o", "", Api.V1), "no bucket"),
    ],
)
def test_a_destination_that_cannot_be(words: tuple[str, str, str, Api], said: str) -> None:
    with pytest.raises(CallError, match=said) as raised:
        Destination(*words)
    assert "secret" not in str(raised.value)
