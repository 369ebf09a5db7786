# make demo   a window on a real PostgreSQL server of its own
# make test   lint, types, contracts, tests
# make audit  advisories about what it is made of, libpq's version, the bill of materials
# All set up everything they need in .venv with python3 alone; a second run starts at once.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
READY  := $(VENV)/.ready
JOBS   ?= 4

.PHONY: demo run tour test check lint types contracts tests unit pictures bench lock format dist audit clean help

help:
	@sed -n '1,4p' Makefile | cut -c3-

# `venv` copies ensurepip's own pip, so nothing but python3 is needed; Debian ships it as python3-venv.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "pgexplorer needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "python3 lacks venv here. On Debian or Ubuntu: apt-get install -y python3-venv"; exit 2; }
	@test -x $(PY) || { echo "Setting up .venv (once)"; $(PYTHON) -m venv $(VENV); }
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-warn-script-location --require-hashes -r requirements.lock
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-warn-script-location --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY)
	@$(PY) -m pgexplorer demo

run: $(READY)
	@$(PY) -m pgexplorer

tour: $(READY)
	@$(PY) -m pgexplorer tour

test: check tests

check: lint types contracts

lint: $(READY)
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .

types: $(READY)
	$(PY) -m basedpyright --level error

contracts: $(READY)
	$(VENV)/bin/lint-imports --no-cache

# Bytecode first: the tests start the program in processes of its own, which may not be allowed to keep it.
tests: $(READY)
	@$(PY) -m compileall -q pgexplorer
	QT_QPA_PLATFORM=offscreen $(PY) -m pytest -n $(JOBS) --dist loadfile

unit: $(READY)
	$(PY) -m pytest tests/unit

bench: $(READY)
	@for each in tests/benchmarks/bench_*.py tests/benchmarks/pool_peers.py; do $(PY) "$$each"; done

pictures: $(READY)
	$(PY) -m pgexplorer tour --pictures docs/pictures

format: $(READY)
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

dist: $(READY)
	@rm -rf dist && mkdir dist
	@$(PY) -m hatchling build -d dist

# What asks and what writes has an environment of its own: it is no part of the program, nor of its tests. The bill of
# materials is that of the wheel with its demo server, installed in the locked versions. pip-audit is strict: what the
# advisory database cannot be asked about counts as a failure, and so it comes last.
AUDIT := .audit
audit: dist requirements-audit.lock
	@test -x $(AUDIT)/bin/python || $(PYTHON) -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check --no-warn-script-location --require-hashes -r requirements-audit.lock
	@$(PY) -c 'import sys; from pgexplorer.doctor import libpq; found = libpq(); print(found.said); sys.exit(found.state != "good")'
	@rm -rf build/released && $(PYTHON) -m venv --without-pip build/released
	@sed -n '/^[A-Za-z0-9]/ s/ *\\\\*$$//p' requirements.lock > build/constraints.txt
	@$(PY) -m pip --python build/released/bin/python install --quiet --disable-pip-version-check --constraint build/constraints.txt "$$(ls dist/*.whl)[demo]"
	$(AUDIT)/bin/cyclonedx-py environment build/released/bin/python --pyproject pyproject.toml --mc-type application --output-reproducible --of JSON --output-file dist/pgexplorer.cdx.json
	$(AUDIT)/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r requirements.lock

# Universal: one file for Linux, macOS and Windows, Python 3.11 to 3.14. It names no index.
lock:
	uv pip compile pyproject.toml --extra demo --extra dev --extra bench --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.lock
	uv pip compile requirements-audit.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements-audit.lock

clean:
	rm -rf $(VENV) $(AUDIT) build dist .pytest_cache .ruff_cache .import_linter_cache
