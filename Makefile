# make demo · make test · make test-all · make bench · make bench-area · make lint · make format · make clean
# Everything runs in .venv, which is made once from PyPI and again when pyproject.toml changes.
# Another interpreter: make PYTHON=python3.12 demo

PYTHON ?= python3
CXX    ?= g++
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
JOBS   ?= 2

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv check demo test test-all bench bench-area lint format clean

help:
	@sed -n '1,3s/^# //p' Makefile

venv: $(READY)

# What cannot come from PyPI, with the Debian package that has it.
check:
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is missing: apt install python3 python3-venv (or give PYTHON=...)" >&2; exit 3; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or later is needed, $(PYTHON) is $$($(PYTHON) -V): give PYTHON=..." >&2; exit 3; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "error: $(PYTHON) has no venv: apt install python3-venv" >&2; exit 3; }
	@command -v $(CXX) >/dev/null || { echo "error: a C++ compiler is missing: apt install g++" >&2; exit 3; }

$(READY): pyproject.toml | check
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@$(BIN)/python -c 'from sim.toolchain import libpython; libpython()' 2>/dev/null || { echo "error: cocotb needs a shared libpython: apt install $$($(BIN)/python -c 'import sys; print("libpython%d.%d" % sys.version_info[:2])')" >&2; exit 3; }
	@touch $@

demo: $(READY)
	$(BIN)/macloom demo

test: lint
	@mkdir -p build
	$(BIN)/python -m pytest -n $(JOBS) -m 'not slow' --junitxml=build/junit.xml

test-all: lint
	@mkdir -p build
	$(BIN)/python -m pytest -n $(JOBS) --junitxml=build/junit.xml

bench: $(READY)
	$(BIN)/python tests/benchmarks/run.py

# All targets take long; ARGS="--only xcup" takes one. What was synthesised once is kept.
bench-area: $(READY)
	$(BIN)/python tests/benchmarks/area.py $(ARGS)

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf build $(VENV) *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find hw costmodel sim sweeps tests -name __pycache__ -type d -prune -exec rm -rf {} +
