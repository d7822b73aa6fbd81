"""Grafana dashboards as data: queries, panels and pages; the JSON beside them is written from here by `make docs`."""
