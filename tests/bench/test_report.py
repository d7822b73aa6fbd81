"""The measurement of journals and reports works, and finds what it is about."""

from __future__ import annotations

from tests.bench.report import measure


def test_every_figure_is_there() -> None:
    figures = measure(sessions=40, seconds=60, rounds=2)
    assert [figure.limit for figure in figures] == [
        "50 MB",
        "0.05 s",
        "",
        "2 s a million",
        "10 s",
        "2 MB",
        "2 s a million",
    ]
    sizes = [figure.size for figure in figures if figure.size]
    assert len(sizes) == 2
    assert all(10_000 < size < 2_000_000 for size in sizes)
    assert all(figure.wall_s > 0 for figure in figures if not figure.size)
