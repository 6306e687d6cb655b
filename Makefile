# Everything a person needs, from a bare machine with make and Python 3.11 or newer:
#   make demo      set up, then watch the toolkit work (tables, a plot, a notebook)
#   make test      set up, then run the tests
# `make help` lists the rest. Another Python: make demo PYTHON=/path/to/python3.12

VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
LINTED := zcrm_nb tests benchmarks notebooks

PYTHON ?=
ifeq ($(strip $(PYTHON)),)
CANDIDATES := python3 python3.13 python3.12 python3.11
else
CANDIDATES := $(PYTHON)
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv demo lab test test-binder test-kernels test-matrix coverage fault-matrix wire fuzz bench notebooks \
	lint format clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:[^#]*##/\t/' | expand -t 14

venv: $(STAMP) ## make .venv with everything in it

$(STAMP): pyproject.toml
	@found=""; \
	for each in $(CANDIDATES); do \
	  if "$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found="$$each"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "No Python 3.11 or newer among: $(CANDIDATES)."; \
	  echo "Install one, or name it: make $(or $(MAKECMDGOALS),venv) PYTHON=/path/to/python3.12"; \
	  exit 1; \
	fi; \
	echo "== $$($$found --version): making $(VENV) and installing the toolkit; a few minutes the first time"; \
	"$$found" -m venv $(VENV) || { \
	  rm -rf $(VENV); \
	  echo "That Python cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv"; \
	  exit 1; \
	}
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -e ".[dev]"
	@$(BIN)/python -c 'import pathlib; pathlib.Path("$@").touch()'
	@echo "== $(VENV) is ready"

demo: $(STAMP) ## run the main job; tables on screen, plot and notebook in demo-output/
	@$(BIN)/zcrm-nb demo

lab: $(STAMP) ## open JupyterLab on the worked notebooks
	@$(BIN)/jupyter lab --notebook-dir=notebooks

test: $(STAMP) ## run the tests (browser tests too, where there is a chromium)
	@$(BIN)/python -m pytest -n auto --dist loadgroup -m "not binder"

test-binder: $(STAMP) ## simulate a Binder build in a clean environment (a minute, 0.6 GB, thrown away)
	@$(BIN)/python -m pytest -m binder -s

test-kernels: $(STAMP) ## log in from the oldest ipykernel, Binder's and the newest (a few minutes; needs a chromium)
	@$(BIN)/python tests/kernel_versions.py

test-matrix: $(STAMP) ## the tests on every Python from 3.11 that is here, and on the minimum versions
	@$(BIN)/python tests/version_matrix.py

coverage: $(STAMP) ## write docs/emulator-coverage.md anew, from the emulator's own tables
	@$(BIN)/python -c 'import pathlib, zcrm_nb.emulator as e; pathlib.Path("docs/emulator-coverage.md").write_text(e.coverage_markdown(), encoding="utf-8")'

fuzz: $(STAMP) ## 100,000 mutated answers into every public method (20 minutes); RUNS=2000 for fewer
	@$(BIN)/python tests/fuzz_answers.py --runs $(or $(RUNS),100000)

fault-matrix: $(STAMP) ## write docs/fault-matrix.md: every public method under every fault (two minutes)
	@$(BIN)/python tests/fault_matrix.py

wire: $(STAMP) ## write docs/wire.md: all exchanges judged by Zoho's OpenAPI files; SPECS=path/to/crm-oas
	@test -n "$(SPECS)" || { echo "Give the path of the OpenAPI files: make wire SPECS=../crm-oas"; exit 1; }
	@$(BIN)/python tests/wire_judge.py "$(SPECS)"

bench: $(STAMP) ## run the benchmarks, one after another
	@set -e; for each in benchmarks/bench_*.py; do echo "== $$each"; $(BIN)/python "$$each"; done

notebooks: $(STAMP) ## execute the worked notebooks and refresh their committed outputs
	@$(BIN)/python tests/test_notebooks.py

lint: $(STAMP) ## style and docstrings, format, strict types, import layers
	@echo "== ruff";          $(BIN)/ruff check $(LINTED)
	@echo "== ruff format";   $(BIN)/ruff format --check $(LINTED)
	@echo "== mypy --strict"; $(BIN)/mypy
	@echo "== import layers"; $(BIN)/lint-imports

format: $(STAMP) ## let ruff format and fix what it can
	@$(BIN)/ruff format $(LINTED)
	@$(BIN)/ruff check --fix $(LINTED)

clean: ## remove .venv, caches and outputs
	rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis demo-output build dist
