"""The network of the inventory with the present catchment on it: vantages, wires, sites with pools and nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from core.inventory import Inventory, Node, Site
from tui.draw.line import Line, Span, bar, fit
from tui.model.view import VantageView, View

LEFT = 14
TRUNK = 4
NORTH, EAST, SOUTH, WEST = 1, 2, 4, 8
_LIGHT = " ╵╶└╷│┌├╴┘─┴┐┤┬┼"
_DEAD = " ╎╌└╎╎┌├╌┘╌┴┐┤┬┼"


@dataclass
class _Wires:
    """The cells between vantages and sites: which sides of a cell are joined, and the style of the last wire."""

    width: int
    height: int
    joined: Counter[tuple[int, int]] = field(default_factory=Counter)
    styles: dict[tuple[int, int], str] = field(default_factory=dict)
    marks: dict[tuple[int, int], tuple[str, str]] = field(default_factory=dict)

    def join(self, x: int, y: int, sides: int, style: str) -> None:
        self.joined[x, y] |= sides
        if self.styles.get((x, y), "bad") == "bad" or style != "bad":
            self.styles[x, y] = style

    def wire(self, from_y: int, to_y: int, trunk: int, style: str) -> None:
        """Lead a wire from the left edge on one row along column `trunk` to the right edge on another."""
        for x in range(trunk):
            self.join(x, from_y, EAST | WEST, style)
        low, high = sorted((from_y, to_y))
        if low == high:
            self.join(trunk, low, EAST | WEST, style)
        else:
            self.join(trunk, from_y, WEST | (SOUTH if to_y > from_y else NORTH), style)
            self.join(trunk, to_y, EAST | (NORTH if to_y > from_y else SOUTH), style)
        for y in range(low + 1, high):
            self.join(trunk, y, NORTH | SOUTH, style)
        for x in range(trunk + 1, self.width):
            self.join(x, to_y, EAST | WEST, style)

    def row(self, y: int) -> Line:
        line: Line = []
        for x in range(self.width):
            style = self.styles.get((x, y), "")
            char, style = self.marks.get((x, y), ((_DEAD if style == "bad" else _LIGHT)[self.joined[x, y]], style))
            line.append(Span(char, style))
        return line


def network(view: View, width: int, height: int) -> list[Line]:
    """Return the network in at most `height` lines."""
    if view.inventory is None:
        return [fit([Span(view.problem or "the inventory is not known yet", "quiet")], width)]
    sites = list(view.inventory.sites.values())
    right = _sites(view, sites, height)
    anchors = {number: y for y, (number, head, _) in enumerate(right) if head}
    vantages = list(view.vantages.values())[:height]
    rows = _spread(len(vantages), max(len(right), len(vantages)), height)
    room = max(len(sites) * TRUNK + 3, min(26, width - LEFT - 34))
    wires = _Wires(room, height)
    for vantage, y in zip(vantages, rows, strict=True):
        _connect(wires, vantage, y, [site.name for site in sites], anchors)
    lines = []
    for y in range(min(height, max(len(right), *rows, 1) if rows else len(right))):
        vantage_here = next((each for each, at in zip(vantages, rows, strict=True) if at == y), None)
        left = _vantage(vantage_here, view) if vantage_here else [Span(" " * LEFT)]
        block = right[y][2] if y < len(right) else []
        lines.append(fit([*left, *wires.row(y), Span(" "), *block], width))
    if len(view.vantages) > len(vantages):
        lines[-1] = fit([Span(f"and {len(view.vantages) - len(vantages) + 1} more vantages", "quiet")], width)
    return lines


def _spread(count: int, wanted: int, height: int) -> list[int]:
    """Return a row for each of `count`, evenly over the height of what is at the right."""
    rows = min(height, max(count, wanted))
    return [round(index * (rows - 1) / max(1, count - 1)) for index in range(count)]


def _connect(wires: _Wires, vantage: VantageView, y: int, sites: Sequence[str], anchors: dict[int, int]) -> None:
    answering: Counter[str] = Counter()
    for place, count in vantage.answering:
        answering[place.site] += count
    for name, _ in reversed(answering.most_common()):
        if name in sites and sites.index(name) in anchors:
            number = sites.index(name)
            wires.wire(y, anchors[number], 3 + number * TRUNK, f"site{number % 6}")
    if vantage.slots and vantage.silent >= vantage.slots and vantage.last_place.site in sites:
        number = sites.index(vantage.last_place.site)
        if number in anchors:
            wires.wire(y, anchors[number], 3 + number * TRUNK, "bad")
        wires.marks[1, y] = ("✖", "bad")
    elif vantage.silent:
        wires.marks[1, y] = ("╳", "part-cell")


def _vantage(vantage: VantageView, view: View) -> Line:
    if vantage.stale(view.now_ns):
        count, style = "no data", "unknown"
    else:
        count = f"{vantage.answered}/{max(vantage.planned, vantage.slots)}" if vantage.slots else "-"
        style = (
            "bad" if vantage.slots and vantage.silent >= vantage.slots else "part-cell" if vantage.silent else "good"
        )
    name = vantage.name[:5]
    return [Span(f" {name:<5}", "strong"), Span(f"{count:>{LEFT - 7}} ", style)]


def _sites(view: View, sites: Sequence[Site], height: int) -> list[tuple[int, bool, Line]]:
    """Return the lines of the sites: (number of the site or -1, whether it is the site's first line, the line)."""
    by_node: Counter[tuple[str, str]] = Counter()
    for vantage in view.vantages.values():
        for place, count in vantage.answering:
            by_node[place.site, place.node] += count
    total = sum(by_node.values())
    gaps = height >= sum(1 + len(site.nodes) for site in sites) + len(sites) - 1
    lines: list[tuple[int, bool, Line]] = []
    for number, site in enumerate(sites):
        count = sum(many for (name, _), many in by_node.items() if name == site.name)
        lines.append((number, True, _head(number, site, count, total, view)))
        lines += [
            (number, False, _node(number, site, node, by_node[site.name, node.name], view)) for node in site.nodes
        ]
        unseen = by_node[site.name, ""]
        if unseen and count == unseen:
            lines.append((number, False, [Span("   node not seen", "quiet")]))
        if gaps and number + 1 < len(sites):
            lines.append((-1, False, []))
    return lines


def _head(number: int, site: Site, count: int, total: int, view: View) -> Line:
    style = f"site{number % 6}"
    share = count / total if total else 0.0
    line = [
        Span(f"{site.name} ", f"{style} strong"),
        Span(f"{site.nat_pool.name} ", style),
        Span(f"{share * 100:>4.0f} % ", "strong" if count else "quiet"),
        Span(bar(share, 8), style),
    ]
    broken = [fault.fault for fault in view.out if site.name in fault.sites]
    return [*line, Span(f" ✖ fault {' '.join(broken)}", "bad")] if broken else line


def _node(number: int, site: Site, node: Node, count: int, view: View) -> Line:
    broken = [fault for fault in view.out if node.name in fault.nodes]
    style = f"site{number % 6}{'' if node is site.nodes[0] else '-other'}"
    line = [Span("└ " if node is site.nodes[-1] else "├ ", "quiet")]
    if count:
        line += [Span(f"● {node.name:<6}", style), Span(f" {count:>5}", "strong")]
    else:
        line += [
            Span(f"{'✖' if broken else '○'} {node.name:<6}", "bad" if broken else "quiet"),
            Span("     0", "quiet"),
        ]
    if broken:
        what = _briefly(fault.fault for fault in broken)
        line.append(Span(f"  ✖ fault {what}", "bad"))
    return line


def _briefly(faults: Iterable[str]) -> str:
    """Return the names of faults; a node has often one a daemon, and its own name in each."""
    found = list(dict.fromkeys(faults))
    return found[0] if len(found) == 1 else f"({len(found)})"


def answered_by(view: View, inventory: Inventory) -> list[tuple[str, int]]:
    """Return how many sessions each site of the inventory answers now."""
    counts = Counter(
        dict.fromkeys(inventory.sites, 0),
    )
    for vantage in view.vantages.values():
        for place, count in vantage.answering:
            counts[place.site] += count
    return [(name, counts[name]) for name in inventory.sites]
