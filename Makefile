# make demo   a real answer from the small local model, no key needed
# make test   the test suite
# make docs   write man/ and completions/ from the commands
# make install PREFIX=/usr/local DESTDIR=
# See README.md for the rest.
PYTHON ?= python3
VENV ?= .venv
PREFIX ?= /usr/local
DESTDIR ?=
PROMPT ?= Name three colours.
BIN := $(VENV)/bin
# The demonstration is the same whatever the user has configured.
CLEAN_ENV = env $$(env | sed -n 's/^\(FENNEC_[A-Za-z0-9_]*\)=.*/-u \1/p')

.PHONY: help demo test lint bench soak coverage fuzz mutants docs install clean
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
	echo '$(PROMPT)' | $(CLEAN_ENV) $(BIN)/fennec complete -m local/smollm2-135m --seed 1 --max-tokens 60 --allow-truncated

test: $(VENV)/test.stamp
	$(CLEAN_ENV) $(BIN)/python -m pytest -q -n auto

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.rules

# Two at once, but for what measures time; then branches, the fuzzer and the mutants. Each prints its figures.
SOAK = $(CLEAN_ENV) FENNEC_SOAK=1 $(BIN)/python -m pytest -q --timeout 7200 --durations 10
soak: $(VENV)/test.stamp
	$(SOAK) -n 2 -m 'soak and not alone'
	$(SOAK) -m 'soak and alone'
	$(MAKE) coverage fuzz mutants

COVERAGE = COVERAGE_FILE=$(VENV)/coverage $(BIN)/python -m coverage
coverage: $(VENV)/test.stamp
	$(COVERAGE) run -m pytest -q tests/wire tests/stages/test_retry.py tests/test_backoff.py tests/test_bucket.py \
	  tests/test_circuit.py tests/test_envelope.py tests/test_redactor.py tests/transport/test_http1.py
	$(COVERAGE) report

fuzz: $(VENV)/test.stamp
	$(BIN)/python -m pip install -q --disable-pip-version-check 'atheris>=2.3' || true  # not for every Python
	$(CLEAN_ENV) $(BIN)/python -m tests.fuzz

mutants: $(VENV)/test.stamp
	$(BIN)/python -m scripts.mutants

docs: $(VENV)/test.stamp
	$(BIN)/python -m scripts.make_docs

# An environment of its own below PREFIX/lib, so that it meets no other program's packages. With DESTDIR the files are
# moved later: what was written with the path that they have now is corrected.
LIB := $(PREFIX)/lib/fennec
SHARE := $(DESTDIR)$(PREFIX)/share
install:
	rm -rf build  # or modules that are gone would be installed
	$(PYTHON) -m venv --clear '$(DESTDIR)$(LIB)'
	'$(DESTDIR)$(LIB)/bin/python' -m pip install -q --disable-pip-version-check .
	@test -z '$(DESTDIR)' || grep -rlIFZ '$(DESTDIR)' '$(DESTDIR)$(LIB)/bin' '$(DESTDIR)$(LIB)/pyvenv.cfg' | \
	  xargs -0 -r sed -i 's|$(DESTDIR)$(LIB)|$(LIB)|g'
	install -d '$(DESTDIR)$(PREFIX)/bin'
	ln -sf '$(LIB)/bin/fennec' '$(DESTDIR)$(PREFIX)/bin/fennec'
	for section in 1 5 7; do \
	  install -d '$(SHARE)'/man/man$$section && \
	  install -m 644 man/*.$$section '$(SHARE)'/man/man$$section || exit 1; done
	install -D -m 644 completions/fennec.bash '$(SHARE)/bash-completion/completions/fennec'
	install -D -m 644 completions/_fennec '$(SHARE)/zsh/site-functions/_fennec'
	install -D -m 644 completions/fennec.fish '$(SHARE)/fish/vendor_completions.d/fennec.fish'

clean:
	rm -rf $(VENV) .venvs build *.egg-info
