# SPDX-License-Identifier: Apache-2.0
# make demo [ONCE=1]   set up, show the whole line on sample scans, serve until Ctrl-C
# make test            set up, check and test everything

SHELL := /bin/sh
PYTHON := .venv/bin/python
PYTEST_ARGS ?=
# These start servers of their own, whose idle workers get no turn beside tests that compute.
APART := tests/system tests/viewers
BOTH_CORES = OMP_NUM_THREADS=1 $(PYTHON) -m pytest --numprocesses=2 --dist=loadfile

.PHONY: demo test install check lock clean

demo:
	@docker/install.sh system environment-demo
	@.venv/bin/sidelight demo $(if $(ONCE),--once)

test:
	@docker/install.sh system test environment-test
	@$(MAKE) --no-print-directory check
ifeq ($(PYTEST_ARGS),)
	@status=0; \
	$(BOTH_CORES) $(APART:%=--ignore=%) || status=1; \
	$(BOTH_CORES) $(APART) || status=1; \
	exit $$status
else
	@$(PYTHON) -m pytest $(PYTEST_ARGS)
endif

install:
	@docker/install.sh system environment

check:
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

# Pins the newest releases that pyproject.toml admits; run by a maintainer, with uv installed.
lock:
	@requirements/lock.sh

clean:
	@rm -rf build dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis tests/output
