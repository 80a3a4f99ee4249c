# make demo   a real answer from the small local model, no key needed
# make test   the test suite
# See README.md for the rest.
PYTHON ?= python3
VENV ?= .venv
PREFIX ?= /usr/local
DESTDIR ?=
PROMPT ?= Name three colours.
BIN := $(VENV)/bin
# The demonstration is the same whatever the user has configured.
CLEAN_ENV = env $$(env | sed -n 's/^\(FENNEC_[A-Za-z0-9_]*\)=.*/-u \1/p')

.PHONY: help demo test lint bench soak clean
help:
	@sed -n 's/^# //p' Makefile

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "make: fennec needs Python 3.11 or later (set PYTHON=...)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "make: Python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: $(VENV)/bin/python setup.cfg pyproject.toml $(shell find fennec_cli -name '*.py' -o -name '*.json')
	$(BIN)/python -m pip install -q --disable-pip-version-check '.[local]'
	@touch $@

$(VENV)/test.stamp: $(VENV)/bin/python setup.cfg pyproject.toml $(shell find fennec_cli -name '*.py' -o -name '*.json')
	$(BIN)/python -m pip install -q --disable-pip-version-check '.[local,test,lint]'
	@touch $@

demo: $(VENV)/demo.stamp
	$(CLEAN_ENV) $(BIN)/fennec models pull local/smollm2-135m
	echo '$(PROMPT)' | $(CLEAN_ENV) $(BIN)/fennec complete -m local/smollm2-135m

test: $(VENV)/test.stamp
	$(CLEAN_ENV) $(BIN)/python -m pytest -q -n auto

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks

soak: $(VENV)/test.stamp
	FENNEC_SOAK=1 $(CLEAN_ENV) $(BIN)/python -m pytest -q -m soak --timeout 7200

clean:
	rm -rf $(VENV) .venvs build *.egg-info
