# Needs GNU make and Python 3.11 or newer; everything else is put into .venv by the first target that wants it.
#   make test ARGS="-k drain"       options for pytest
#   make test JOBS=0                one process, for a debugger
#   make check PYTHON=python3.12    another Python

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=
SIZE ?= ci
# Processes that share the tests, each with a broker of its own. Tests wait more than they compute.
JOBS ?= 3

# The first of these that is new enough.
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$each; break; }; done)
# The version that uv.lock pins.
UV_VERSION = $(shell sed -n '/^name = "uv"$$/{n;s/^version = "\(.*\)"$$/\1/p;}' uv.lock)

# A dependency group beside everything else; nothing of that is removed.
with = env -u VIRTUAL_ENV UV_PROJECT_ENVIRONMENT=$(VENV) UV_PYTHON=$(BIN)/python UV_PYTHON_DOWNLOADS=never \
	$(BIN)/uv sync --frozen --quiet --inexact --group $(1)

.PHONY: help
help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

.PHONY: demo
demo: $(READY) ## run the worker against a private RabbitMQ and a simulated endpoint
	@$(BIN)/videogen-worker demo $(ARGS)

.PHONY: test
test: $(READY) ## run all tests, on a real RabbitMQ
	@$(BIN)/pytest --numprocesses=$(JOBS) --dist=worksteal $(ARGS)

.PHONY: chaos
chaos: $(READY) ## kill, cut and freeze real processes, and judge what came of it (SIZE=full, SEED=n, REPORT=file)
	@$(BIN)/pytest tests/chaos --numprocesses=$(JOBS) --dist=worksteal --chaos-size=$(SIZE) $(SEED:%=--chaos-seed=%) $(REPORT:%=--chaos-report=%) $(ARGS)

# Some 600 MB of other people's programs, the first time.
.PHONY: interop
interop: $(READY) ## try the contract with other people's tools: AsyncAPI's own, a browser, producers in other languages
	@$(call with,interop)
	@$(BIN)/pytest tests/interop --numprocesses=$(JOBS) --dist=worksteal $(ARGS)

.PHONY: bench
bench: SIZE = full
# Compiled, as pip leaves what it installs: without, a start takes twice as long.
bench: $(READY) ## measure the worker beside a bare loop and FastStream; writes docs/bench.md (SIZE=quick)
	@$(call with,bench --compile-bytecode)
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m tests.bench --size $(SIZE) $(ARGS)

.PHONY: check
check: $(READY) ## lint, format, types, architecture, dependencies
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/deptry .

.PHONY: contract
contract: $(READY) ## write docs/asyncapi.* and docs/schemas anew from the code
	@$(call with,interop)
	@$(BIN)/python -m tests.contract.documents

.PHONY: tables
tables: $(READY) ## write the generated tables of docs/ anew from the code
	@$(BIN)/python -m tests.docs.generated

# A folder has this name too. Not with --quiet: no warning would fail the build then.
.PHONY: docs
docs: $(READY) ## build the documentation into build/site, and look whether it is whole
	@$(call with,docs)
	@$(BIN)/mkdocs build
	@$(BIN)/pytest tests/site --numprocesses=0 $(ARGS)

.PHONY: clean
clean: ## remove the virtual environment, caches and builds
	@rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find service tests -name __pycache__ -type d -prune -exec rm -rf {} +

# .venv is made by whatever Python there is, gets uv from PyPI, and uv installs what the lock names.
# Both follow the settings of pip and uv in the environment: index, proxy, certificates.
$(READY): pyproject.toml uv.lock
	@test -x $(BIN)/uv || $(MAKE) --no-print-directory $(BIN)/uv
	@echo "Installing the locked dependencies into $(VENV)"
	@env -u VIRTUAL_ENV UV_PROJECT_ENVIRONMENT=$(VENV) UV_PYTHON=$(BIN)/python UV_PYTHON_DOWNLOADS=never \
		$(BIN)/uv sync --frozen --quiet
	@touch $@

$(BIN)/uv:
	@test -n "$(PYTHON)" || { \
		echo "Python 3.11 or newer was not found. Install it (Debian, Ubuntu: apt-get install python3;" >&2; \
		echo "elsewhere: https://www.python.org/downloads/), or name one: make PYTHON=/path/to/python3" >&2; \
		exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is not Python 3.11 or newer. Name another: make PYTHON=/path/to/python3" >&2; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(MAKE) --no-print-directory venv-package
	@echo "Creating $(VENV) with $(PYTHON), and uv $(UV_VERSION) in it"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"

# Debian and Ubuntu keep a part of the standard library in a package of its own.
.PHONY: venv-package
venv-package: PACKAGE = $(shell $(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
venv-package:
	@test "$$(id -u)" = 0 && command -v apt-get >/dev/null || { \
		echo "$(PYTHON) cannot create virtual environments. Install what it lacks" >&2; \
		echo "(Debian, Ubuntu: sudo apt-get install $(PACKAGE)), then run make again." >&2; \
		exit 1; }
	@echo "Installing $(PACKAGE) with apt-get: $(PYTHON) cannot create virtual environments without it"
	@export DEBIAN_FRONTEND=noninteractive; log=$$(mktemp); \
		{ apt-get -q update && apt-get -q install -y --no-install-recommends $(PACKAGE); } \
			>"$$log" 2>&1 </dev/null || { tail -n 20 "$$log" >&2; rm -f "$$log"; exit 1; }; \
		rm -f "$$log"
