# SPDX-License-Identifier: Apache-2.0
# make demo [ONCE=1]   set up, show the whole line on sample scans, serve until Ctrl-C
# make test            set up, check and test everything

SHELL := /bin/sh
PYTHON := .venv/bin/python
PYTEST_ARGS ?=

.PHONY: demo test ready packages environment fetched checked install check style types walls lock clean

demo:
	@docker/install.sh system environment-demo
	@.venv/bin/sidelight demo $(if $(ONCE),--once)

test:
	@docker/install.sh system
	@$(MAKE) --no-print-directory --jobs=3 ready
ifeq ($(PYTEST_ARGS),)
	@$(PYTHON) -m tests.both_halves
else
	@$(PYTHON) -m pytest $(PYTEST_ARGS)
endif

# What only tests need is installed while the checks run. The system's packages come before: they may
# replace the Python that all else runs on.
ready: packages checked fetched

packages:
	@docker/install.sh test

environment:
	@docker/install.sh environment-test

fetched: environment
	@$(PYTHON) -m tests.prerequisites

checked: environment
	@$(MAKE) --no-print-directory check

install:
	@docker/install.sh system environment

check: style types walls

style:
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types:
	@.venv/bin/mypy

walls:
	@.venv/bin/lint-imports

# Pins the newest releases that pyproject.toml admits; run by a maintainer, with uv installed.
lock:
	@requirements/lock.sh

clean:
	@rm -rf build dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis tests/output
