# What people type. Every target prepares what it needs in .venv, from the locks in requirements/.
BIN := .venv/bin
RUN := .venv/run.stamp
DEV := .venv/dev.stamp
JOBS ?= 2
SOURCES := $(wildcard sysfleet tests bench runner.py)
export PYTHON

.PHONY: help demo test test-machine lint format bench package lock clean
.DELETE_ON_ERROR:

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-12s %s\n' "$$name" "$$text"; done

demo: $(RUN) ## the whole job on a fleet that lives on this machine only
	$(BIN)/sysfleet demo

test: $(DEV) ## the tests
	$(BIN)/python -m pytest -n $(JOBS) -m "not packaging and not machine" $(ARGS)

test-machine: $(DEV) ## the tests that boot a virtual machine
	$(BIN)/python -m pytest -m machine tests/machine $(ARGS)

lint: $(DEV) ## style, types, layers, shell programs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports --no-cache
	scripts/check-shell

format: $(DEV) ## what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV) ## speed against bare SSH, on a lab of 200 hosts
	$(BIN)/python -m bench $(ARGS)

package: $(DEV) ## wheel and sdist in dist/, checked and tried in a clean environment
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/python -m pytest -p no:randomly -m packaging tests/packaging

lock: ## newest versions into requirements/ (needs uv)
	scripts/lock

clean: ## removes all that make has made
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than its lock once everything in the lock is installed.
$(RUN): requirements/run.txt pyproject.toml scripts/prepare-environment
	scripts/prepare-environment run
	touch $@

$(DEV): requirements/dev.txt requirements/run.txt pyproject.toml scripts/prepare-environment
	scripts/prepare-environment dev
	touch $(DEV) $(RUN)
