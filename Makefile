# `make run` and `make test` need only Python 3.11 to 3.13 and make. They install packages again only if the pins change.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
INSTALL := $(if $(UV),$(UV) pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet --disable-pip-version-check)

.PHONY: run test lint docs results lock clean

run: $(VENV)/.installed
	$(BIN)/kedro run

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --numprocesses=2 --no-loadscope-reorder

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: $(VENV)/.installed-dev
	$(BIN)/mkdocs build --strict
	rm -rf build && $(BIN)/kedro viz build $(if $(wildcard data/08_reporting/report.html),--include-previews) && mv build site/lineage

# Measure the values that README and docs show; SECTIONS="demo costs" measures only these. Run it on an idle machine.
results: $(VENV)/.installed-dev
	$(BIN)/kedro run
	$(BIN)/python benchmarks/results.py $(SECTIONS)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "$(PYTHON) is not Python 3.11 to 3.13: name another one with make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt | $(BIN)/python
	$(INSTALL) -r requirements.txt
	touch $@

$(VENV)/.installed-dev: requirements-dev.txt | $(BIN)/python
	$(INSTALL) -r requirements-dev.txt
	touch $@ $(VENV)/.installed

# Pin all dependencies again, within the ranges of pyproject.toml.
lock:
	uv pip compile --quiet --universal --no-emit-index-url --no-header --extra coco pyproject.toml -o requirements.txt
	uv pip compile --quiet --universal --no-emit-index-url --no-header --extra coco --extra dev --extra docs -c requirements.txt pyproject.toml -o requirements-dev.txt
	echo '-e .[coco]' | tee -a requirements.txt >> requirements-dev.txt

clean:
	rm -rf $(VENV)
