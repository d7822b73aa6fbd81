"""The four pages, and the files that Grafana's provisioning reads."""

from __future__ import annotations

import json
from collections.abc import Mapping

from dashboards.grafana.failovers import FAILOVER_PAGE
from dashboards.grafana.game_days import GAME_DAYS
from dashboards.grafana.now import NOW
from dashboards.grafana.probe_health import PROBE_PAGE

PAGES = (NOW, FAILOVER_PAGE, GAME_DAYS, PROBE_PAGE)


def files() -> Mapping[str, str]:
    """Return the name and the text of each file of dashboards/grafana/json/."""
    return {f"{page.uid}.json": json.dumps(page.json(), indent=1) + "\n" for page in PAGES}
