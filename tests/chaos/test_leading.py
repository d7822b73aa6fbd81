"""Several controllers on a real bus: one leads, another follows when it dies, and no run is left out or begun twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chaos import leading
from chaos.guard.bus_door import BusDoor
from chaos.guard.client import RefusedByGuardError
from chaos.guard.far import FarGuard
from chaos.leading import Leadership, claim
from core import leading as rules
from core.bus import BusAwayError
from core.enrolment import Role
from core.errors import BlockedError
from core.inventory import Host
from store.bus import Bus as Connection
from tests.chaos.guarding import ANSWERING, asked, now_ns, out
from tests.chaos.on_bus import Bus, at_guard, bus
from tests.chaos.test_orders import directory, door
from tests.waiting import wait_for

__all__ = ["directory", "door"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    with bus(tmp_path_factory.mktemp("bus") / "bus", "--controller", "main", "--controller", "other") as found:
        yield found


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rules with shorter times."""
    for module in (rules, leading):
        monkeypatch.setattr(module, "BEAT_NS", 100_000_000)
        monkeypatch.setattr(module, "HOLD_NS", 1_000_000_000)
    monkeypatch.setattr(rules, "MARGIN_NS", 300_000_000)
    monkeypatch.setattr(leading, "LOOK_S", 0.05)


def leader(shared: Bus, controller: str) -> Leadership:
    connection = shared.member(Role.CONTROLLER, controller)
    return Leadership(
        connection, controller, lambda run, term: replace(shared.signer(run, controller=controller), term=term)
    )


def guard(shared: Bus, main: Leadership, term: Callable[[], int]) -> FarGuard:
    """The guard elsewhere, as the run of `main` asks it."""
    return FarGuard("site1", main._bus, replace(shared.signer(), term=term))


def test_one_leads_and_gives_way(shared: Bus) -> None:
    main, other = leader(shared, "main"), leader(shared, "other")
    assert main.lost
    main.take("run", ())
    first = main.term()
    with pytest.raises(BlockedError, match="controller main leads"):
        other.take("run2", ())
    assert main.lost == ""
    main.done()
    main.resign()
    with pytest.raises(BlockedError):
        main.term()
    other.take("run2", ())
    assert other.term() > first
    other.done()
    other.resign()


def test_who_dies_is_followed_its_faults_reverted_and_its_orders_refused(
    shared: Bus, door: BusDoor, host: Host, directory: Path
) -> None:
    assert door is not None
    main, other = leader(shared, "main"), leader(shared, "other")
    main.take("run", ("site1",))
    far = guard(shared, main, main.term)
    far.arm(asked(at_guard(host, "site1"), directory.parent), 30, ANSWERING)
    far.inject("one", "left", now_ns(), ANSWERING)
    assert other.look_after() == "", "it is alive"
    stale = main.term()
    main._end.set()  # as if it were killed: it says no more that it leads
    wait_for(other.look_after, 5)
    assert out(host) == {"left": False, "right": False}
    assert main.lost
    with pytest.raises(BlockedError, match="lead"):
        far.inject("one", "right", now_ns(), ANSWERING)
    with pytest.raises(RefusedByGuardError, match="order_not_leading"):
        guard(shared, main, lambda: stale).inject("one", "right", now_ns(), ANSWERING)
    assert other.look_after() == "", "nothing is left of it"


class Away:
    """A bus that goes away when told to."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.away = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever the other one has
        if self.away:
            raise BusAwayError("it is away")
        return getattr(self._connection, name)


def test_without_the_bus_nobody_leads_and_with_it_again_the_same_one(shared: Bus) -> None:
    connection = Away(shared.member(Role.CONTROLLER, "main"))
    main = Leadership(connection, "main", lambda run, term: replace(shared.signer(run), term=term))
    main.take("run", ())
    term = main.term()
    connection.away = True
    wait_for(lambda: main.lost, 3)
    connection.away = False
    wait_for(lambda: not main.lost, 3)
    assert main.term() == term, "nobody else has led meanwhile"
    main.done()
    main.resign()


def test_what_is_begun_is_begun_once(shared: Bus) -> None:
    main, other = (shared.member(Role.CONTROLLER, name) for name in ("main", "other"))
    claim(main, "weekly-20261201T2130Z", "main")
    for each in (main, other):
        with pytest.raises(BlockedError, match="begun by controller main"):
            claim(each, "weekly-20261201T2130Z", "other")
    claim(other, "weekly-20261208T2130Z", "other")
