# Two commands: `make book` builds the book, `make test` tests the library. `make help` lists all.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PROFILE ?= demo
# More options for pip, such as --extra-index-url for a CPU build of torch.
PIP_OPTIONS ?=
PYTEST_OPTIONS ?=
# Options of make bench, such as --only tvl1.
BENCH ?=

BIN := .venv/bin
INSTALLED := .venv/.installed

# glibc's allocator must be told before a process starts; CPU training is about 1.6 times as fast.
export MALLOC_MMAP_MAX_ := 0
export MALLOC_TRIM_THRESHOLD_ := -1

.DEFAULT_GOAL := help
.PHONY: help install book test test-slow check bench clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*##/  make \1 \t/p' $(MAKEFILE_LIST) | expand -t 22
	@echo "  PROFILE=smoke|demo|paper   size of the run behind the book (now $(PROFILE))"
	@echo "  PYTHON=...                 the Python 3.11 that makes .venv"

install: $(INSTALLED)  ## make .venv with the exact versions of requirements.txt

$(INSTALLED): requirements.txt pyproject.toml
	@test -n "$(PYTHON)" && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	$(BIN)/python -m pip install $(PIP_OPTIONS) -r requirements.txt
	$(BIN)/python -m pip install $(PIP_OPTIONS) --no-deps -e .
	@touch $@

book: $(INSTALLED)  ## execute what changed and build _build/html/index.html
	$(BIN)/elrcn notebooks --profile $(PROFILE)
	$(BIN)/elrcn book

test: $(INSTALLED)  ## the fast tests, within five minutes
	$(BIN)/python -m pytest -m "not slow" -n logical --dist loadfile $(PYTEST_OPTIONS)

test-slow: $(INSTALLED)  ## the slow tests; those of the book look at the one built last
	$(BIN)/python -m pytest -m slow $(PYTEST_OPTIONS)

check: $(INSTALLED)  ## style of the code, notebooks without outputs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/nbstripout --verify --extra-keys \
	  "metadata.papermill cell.metadata.papermill cell.metadata.execution" notebooks/*.ipynb

bench: $(INSTALLED)  ## time every stage against its yardstick (BENCH="--help" tells more)
	$(BIN)/python -m tests.bench $(BENCH)

clean:  ## remove what was made, but keep .venv, data/, cache/ and runs/
	rm -rf _build .elrcn book/executed book/generated .pytest_cache .ruff_cache
	find elrcn tests book -name __pycache__ -type d -prune -exec rm -rf {} +
