# `make demo` and `make test` set up all they need in .venv; PYTHON chooses the interpreter (3.11 or later).
PYTHON ?= python3
VENV ?= .venv
# One test process a core; a file's tests stay together, for they share what is dear to make.
WORKERS ?= auto
PYTEST_ARGS ?=

.PHONY: demo test lint format clean

demo: $(VENV)/.runtime
	$(VENV)/bin/grokfix demo

test: $(VENV)/.dev lint
	$(VENV)/bin/python -m pytest -n $(WORKERS) --dist loadfile --cov --cov-report=term $(PYTEST_ARGS)

lint: $(VENV)/.dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

format: $(VENV)/.dev
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "grokfix needs Python 3.11 or later: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ $(VENV)/.runtime

clean:
	rm -rf $(VENV) .coverage .pytest_cache .mypy_cache .ruff_cache
