# Requires Python 3.11 to 3.13. Targets install the packages if the pinned versions have changed.
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
	$(BIN)/codespell
	$(BIN)/python docs/scripts/check_prose.py

docs: $(VENV)/.installed-dev
	$(BIN)/mkdocs build --strict

# Measure the values that README and docs show; SECTIONS="demo costs" measures only these. Run it on an idle machine.
results: $(VENV)/.installed-dev
	$(BIN)/kedro run
	$(BIN)/python benchmarks/results.py $(SECTIONS)
	$(BIN)/python docs/scripts/generate_pages.py

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "$(PYTHON) is not Python 3.11 to 3.13: set another interpreter with make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt | $(BIN)/python
	$(INSTALL) -r requirements.txt
	touch $@

$(VENV)/.installed-dev: requirements-dev.txt | $(BIN)/python
	$(INSTALL) -r requirements-dev.txt
	touch $@ $(VENV)/.installed

# Update the pinned versions within the ranges of pyproject.toml.
lock:
	uv pip compile --quiet --universal --no-emit-index-url --no-header --extra coco pyproject.toml -o requirements.txt
	uv pip compile --quiet --universal --no-emit-index-url --no-header --extra coco --extra dev --extra docs -c requirements.txt pyproject.toml -o requirements-dev.txt
	echo '-e .[coco]' | tee -a requirements.txt >> requirements-dev.txt

clean:
	rm -rf $(VENV)
