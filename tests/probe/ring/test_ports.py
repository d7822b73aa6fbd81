"""A source port comes back only after all the others that were free."""

from __future__ import annotations

from probe.ring.ports import FreePorts


def test_each_port_once_before_one_comes_again() -> None:
    free = FreePorts(range(20_000, 20_010))
    first = [free.take(0) for _ in range(6)]
    assert len(set(first)) == 6
    again = [free.take(port) for port in first]
    assert set(first[:4]).isdisjoint(again[:4]), "four were never used yet"
    assert again[4:] == first[:2], "then those that were given back first"
    assert sorted({*first, *again}) == list(range(20_000, 20_010))
