# Everything here runs on a machine with only Python 3.11, make and git: the environment is made at first need.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# A start whose modules must be compiled first takes half as long again, and the tests make hundreds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test conformance check bench docs lock cluster chaos clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(READY): requirements/dev.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

run: $(READY) ## serve the flights example at every door: embedded nats-server and SQLite, no service to install
	MOSTA_NET_GRPC_ENABLED=true MOSTA_NET_ARROW_ENABLED=true OCTONET_OPEN_MODE=true $(BIN)/octonet serve --host 127.0.0.1 --schemas examples/flights/schemas.json \
	  --seed Airport=examples/flights/airports.csv --seed Flight=examples/flights/flights.ndjson

test: $(READY) ## run the tests
	$(BIN)/python -m pytest

conformance: $(READY) ## run each operation on each database, at each door, and write down how many cases each passed
	$(BIN)/python -m pytest tests/conformance --tally docs/conformance.json
	$(BIN)/python -m docs.generate

check: $(READY) ## lint, types, floors
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

bench: $(READY) ## measure against bare aiohttp and the obvious direct design; writes benchmarks/results.md
	$(BIN)/python -m benchmarks

docs: $(READY) ## regenerate the generated pages of docs/
	$(BIN)/python -m docs.generate

cluster: $(READY) ## three nats-servers, PostgreSQL, three doors, two workers, by processes, until Ctrl-C
	$(BIN)/python -m tests.chaos

chaos: $(READY) ## half an hour of kills, freezes and partitions of that cluster under load
	OCTONET_CHAOS_SECONDS=1800 $(BIN)/python -m pytest -rP tests/chaos

lock: $(READY) ## pin every dependency anew
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --group dev pyproject.toml -o requirements/dev.lock
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --all-extras pyproject.toml -o requirements/all.lock

clean: ## forget the environment and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
