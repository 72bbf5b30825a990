# Two commands matter: `make demo` and `make test`. `make` alone lists the rest.
REPEATS ?= 6
BIN := .venv/bin
PROJECTS := $(wildcard shared/pyproject.toml services/*/pyproject.toml)
SOURCES := shared/src $(wildcard services/*/src) bench conformance tests
UV_INDEPENDENT := uv pip compile -q --universal --generate-hashes --no-annotate --no-emit-index-url --no-header \
	--no-emit-package dynexport --python-version 3.11
UV_COMPILE := $(UV_INDEPENDENT) shared/pyproject.toml services/csip-client/pyproject.toml requirements-build.in

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo up image test integration conformance procedures bench bench-quick bench-faults bench-makes soak soak-csip lint docs lock clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.stamp ## a simulated site kept inside a changing export limit; Ctrl-C ends it
	$(BIN)/dynexport demo

up: .venv/.stamp ## every service that ./site.yaml needs, with their logs; Ctrl-C ends them
	$(BIN)/dynexport up

image: ## the container image of every service and the command line (needs Docker)
	docker compose -f deploy/compose.yaml build init

test: .venv/.stamp-dev .venv-independent/.stamp ## every test: first the fast ones, then those with real processes
	$(BIN)/pytest -q -n 2 -m "not integration and not slow"
	$(BIN)/pytest -q -n 6 --dist loadgroup -m integration
	@$(MAKE) --no-print-directory procedures

integration: .venv/.stamp-dev ## only the tests with a real broker and real processes
	$(BIN)/pytest -q -n 6 --dist loadgroup -m integration

conformance: .venv-conformance/.stamp ## the official CSIP-AUS procedures, and docs/conformance.md from their results
	.venv-conformance/bin/pytest -q -n 2 --page=write conformance

procedures: .venv-conformance/.stamp ## the same, compared with the page; skipped without Python 3.12
	@[ ! -e .venv-conformance/.stamp ] || .venv-conformance/bin/pytest -q -n 2 conformance

bench: .venv/.stamp-dev ## the closed-loop benchmark, up to 25 minutes (REPEATS=12 for a release)
	$(BIN)/python -m bench --repeats $(REPEATS)

bench-quick: .venv/.stamp-dev ## each benchmark scenario once, a few minutes
	$(BIN)/python -m bench --quick

bench-faults: .venv/.stamp-dev ## every fault of docs/safety.md on the whole stack, up to 25 minutes (ROWS="meter-dies ..." for some)
	$(BIN)/python -m bench.trouble $(if $(ROWS),--only $(ROWS))

bench-makes: .venv/.stamp-dev ## every described make in the closed loop, about 15 minutes (ONLY="solaredge ..." for some); docs/makes.md
	$(BIN)/python -m bench.makes $(if $(ONLY),--only $(ONLY))

soak: .venv/.stamp-dev ## 2.5 million random merges, 10,000 control seconds and 10,000 of homes with loads and batteries under faults
	$(BIN)/python -m bench.soak

soak-csip: .venv/.stamp-dev ## csip-client killed at 200 random instants, about 10 minutes (DYNEXPORT_SEED=... repeats a run)
	DYNEXPORT_KILLS=200 $(BIN)/pytest -q services/csip-client/tests/test_killed.py

lint: .venv/.stamp-dev ## style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy $(SOURCES)

docs: .venv/.stamp ## generate docs/topics.md, docs/schemas, docs/config.md, docs/commands.md and the example site
	$(BIN)/python -m dynexport.docs

lock: ## bring the lock files in line with the pyproject.toml files (needs uv)
	@command -v uv >/dev/null || { echo "lock: uv is needed; type: pipx install uv"; exit 2; }
	$(UV_COMPILE) -o requirements.lock
	$(UV_COMPILE) requirements-dev.in -c requirements.lock -o requirements-dev.lock
	$(UV_INDEPENDENT) requirements-independent.in --override requirements-independent-override.in -o requirements-independent.lock

clean: ## remove the environment and every cache
	rm -rf .venv .venv-conformance .venv-independent .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.stamp: requirements.lock $(PROJECTS) tools/venv
	@tools/venv

.venv-conformance/.stamp: requirements.lock requirements-dev.lock $(PROJECTS) tools/venv
	@tools/venv conformance

.venv-independent/.stamp: .venv/.stamp requirements-independent.lock tools/venv
	@tools/venv independent

.venv/.stamp-dev: .venv/.stamp requirements-dev.lock
	@tools/venv dev
