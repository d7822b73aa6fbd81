"""Places that answer: what one is called, and the sign by which its cells are told from others without colour."""

from __future__ import annotations

from typing import NamedTuple

from core.inventory import Inventory


class Place(NamedTuple):
    """Who answers a session: site, node, NAT pool; '' is not known."""

    site: str
    node: str
    pool: str

    @property
    def known(self) -> bool:
        """Whether anything is known of it."""
        return bool(self.site or self.node or self.pool)

    @property
    def words(self) -> str:
        """Return it as `ace1/N1`: the node, or the site where the node is not seen, and the pool."""
        return f"{self.node or self.site or '?'}/{self.pool or '?'}" if self.known else "?"


NOWHERE = Place("", "", "")
PATTERNS = ("░▒", "▓█", "◌●", "◇◆", "△▲", "▽▼")
"""Two signs a site, in the order of the inventory: its first node, and any other node of it."""
OTHER_SIGN = "?"


class Sign(NamedTuple):
    """How a place is drawn: its character, the number of its site (-1: none of the inventory), whether it is home."""

    char: str
    site: int
    first: bool


def sign(place: Place, inventory: Inventory | None) -> Sign:
    """Return how `place` is drawn. Sites beyond those that have patterns are drawn as digits."""
    names = list(inventory.sites) if inventory else []
    if place.site not in names:
        return Sign(OTHER_SIGN, -1, first=True)
    number = names.index(place.site)
    assert inventory is not None
    nodes = inventory.sites[place.site].nodes
    first = not place.node or not nodes or place.node == nodes[0].name
    if number >= len(PATTERNS):
        return Sign(str((number + 1) % 10), number, first)
    return Sign(PATTERNS[number][0 if first else 1], number, first)
