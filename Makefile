.DEFAULT_GOAL := help
.PHONY: help setup run test test-fast chaos lint check bench-load bench-train bench-study bench-accuracy bench-recipe bench-dashboard bench-verdicts bench-rounding format lock clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH_train := training
BENCH_study := study
BENCH_accuracy := accuracy
BENCH_recipe := recipe
BENCH_dashboard := dashboard
BENCH_verdicts := verdicts
BENCH_rounding := rounding

help:
	@echo "make run     start service and worker, and run the study on the embedded digits"
	@echo "make test    run all tests"
	@echo "make test-fast   run the unit tests: no processes, no browser, about a minute"
	@echo "make chaos   kill and stop processes at random for five minutes, and check that nothing is lost or trained twice"
	@echo "make lint    ruff, mypy, import-linter"
	@echo "make check   make lint, then make test"
	@echo "make setup   create .venv and install the packages pinned in requirements.lock"
	@echo "make bench-load  response times on a small and a large database"
	@echo "make bench-train  images per second, beside the usual ways to train"
	@echo "make bench-study  runs per minute of a study, by bundle size"
	@echo "make bench-accuracy  test accuracy by each engine, seed by seed"
	@echo "make bench-recipe  each part of the best recipe, on held-out training images"
	@echo "make bench-dashboard  first paint and bytes of each view, in Chromium"
	@echo "make bench-verdicts  false alarms, power and coverage of verdicts, by simulation"
	@echo "make bench-rounding  distance of short trainings from float64, by engine"
	@echo "make format  format the code"
	@echo "make lock    pin the newest versions that pyproject.toml allows"

setup: $(VENV)/.installed

$(VENV)/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; say which with: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.installed: requirements.lock $(VENV)/bin/uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

run: $(VENV)/.installed
	@$(BIN)/python -m launcher

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-fast: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile -m "not slow" -q

chaos: $(VENV)/.installed-dev
	$(BIN)/python -m tests.chaos --minutes 5

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test

bench-load: $(VENV)/.installed-dev
	@$(BIN)/python -m benchmarks.load

bench-train bench-study bench-accuracy bench-recipe bench-dashboard bench-verdicts bench-rounding: bench-%: $(VENV)/.installed-dev
	@$(BIN)/python -m benchmarks.$(BENCH_$*)

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(VENV)/bin/uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
		pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
		--group dev --constraint requirements.lock pyproject.toml --output-file requirements-dev.lock

clean:
	rm -rf $(VENV)
