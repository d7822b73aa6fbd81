# The two commands of the README are `make demo` and `make test`. `make help` lists the rest.
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint lock bench accuracy fuzz soak kill-test faults library ship-test grafana-types compose-lint docs \
  pictures

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/' | expand -t 15

setup: ## install what is missing (Debian packages, .venv)
	@tools/setup

demo: setup ## show the failover story on a network of real daemons
	@$(BIN)/vipchaos demo

test: lint ## run all tests, end-to-end runs on the lab included
	@tools/test

lint: setup ## ruff, mypy, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: setup ## measure a heartbeat's cost beside other tools (8 min; ARGS=--short: 1 min)
	@tools/setup bench
	@tools/as_root $(BIN)/python -m tests.bench $(ARGS)
	@$(BIN)/python -m tests.bench.report $(ARGS)
	@$(BIN)/python -m tests.bench.screen $(filter --short,$(ARGS))

accuracy: setup ## outages made by hand against what is reported and captured (25 min; ARGS="--each 3 --quiet 20")
	@tools/as_root $(BIN)/python -m tests.accuracy $(ARGS)

fuzz: setup ## ten million damaged packets against a model of RFC 9293 (10 min; ARGS="--packets 200000")
	@$(BIN)/python -m tests.fuzz $(ARGS)

soak: setup ## 10 000 sessions for an hour: memory, drops, lateness (ARGS="--seconds 120 --sessions 2000")
	@tools/as_root $(BIN)/python -m tests.soak $(ARGS)

kill-test: setup ## kill -9 of controller, guard and its keeper at random moments, 200 times (30 min; ARGS="--kills 12")
	@tools/as_root $(BIN)/python -m tests.kill $(ARGS)

faults: setup ## how exactly faults come, and how fast the kill switch takes them back (2 min; ARGS="--count 10")
	@tools/setup bench
	@tools/as_root $(BIN)/python -m tests.bench.faults $(ARGS)

library: setup ## every experiment of the library five times, into docs/library/matrix.md (1 h; ARGS="--trials 1")
	@tools/as_root $(BIN)/vipchaos run --all --trials 5 --markdown docs/library/matrix.md $(ARGS)

ship-test: setup ## a million points to servers that are killed ten times meanwhile (5 min)
	@VIPCHAOS_SHIP_POINTS=1000000 $(BIN)/python -m pytest tests/store/test_ship_servers.py

grafana-types: ## the dashboards against Grafana's own types (needs npm and a network)
	@tools/grafana-types

compose-lint: ## docker-compose.yml by dclint (needs npm and a network)
	@tools/compose-lint

docs: setup ## write what comes from the code and from a run of the demo
	@$(BIN)/python tools/write_docs.py
	@$(BIN)/python tools/write_readme.py
	@$(BIN)/python tools/draw_report.py

pictures: setup ## draw the pictures of the README from the recorded run of the tests
	@$(BIN)/python tools/write_pictures.py

lock: setup ## pin versions and hashes anew
	@command -v uv >/dev/null || { echo "lock: needs uv" >&2; exit 6; }
	@for set in requirements requirements-dev; do \
	  uv pip compile -q --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	    $$set.in -o $$set.txt; done
