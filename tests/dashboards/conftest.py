"""The recorded run, judged and drawn once for all tests of the report page."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.verdict import Judged, judge_run
from dashboards.report.assemble import Run, view
from dashboards.report.html import to_html
from dashboards.report.view import View
from tests.recorded.fixture import restore


def run_of(judged: Judged) -> Run:
    basis = judged.basis
    assert basis is not None
    return Run(judged.started, basis.records, judged.verdict, basis.inventory, basis.experiments)


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return judge_run(restore(tmp_path_factory.mktemp("recorded") / "run"))


@pytest.fixture(scope="session")
def shown(judged: Judged) -> View:
    return view(run_of(judged))


@pytest.fixture(scope="session")
def page(shown: View) -> str:
    return to_html(shown)


@pytest.fixture(scope="session")
def page_file(page: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page, "utf-8")
    return path
