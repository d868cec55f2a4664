# The only commands that people and CI use. `make demo` and `make test` set up what they need by themselves.
# Other places: KHLANG_VENVS (environments), KHLANG_HOME (state), KHLANG_BASE_PORT (first port).
PYTHON ?= $(or $(shell command -v python3.11),python3)
VENVS := $(abspath $(or $(KHLANG_VENVS),.venv))
LAKE := $(VENVS)/lake/bin/python
KHLANG := $(LAKE) -m khlang
export PYTHONPATH := $(CURDIR)/jobs

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all bench fuzz up down status lint docs lock

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## environments, Java and jars; a second run finds all done
	@$(PYTHON) infra/local/setup.py

demo: setup ## start the stack, deliver invented extracts, wait for the DAGs, print the balance and the addresses
	@$(KHLANG) demo

test: setup ## what must pass before a change lands (under 15 minutes on two cores)
	@$(LAKE) -m pytest -m "not long" --durations 15

test-all: test ## the same, then the long tests
	@$(LAKE) -m pytest -m long

bench: setup ## Khlang and its peers on the same work, the country's day, growth, the warm path (BENCH="day --fraction 1")
	@PYTHONPATH=jobs:. $(LAKE) -m bench $(BENCH)

fuzz: setup ## zips and members broken by dice, watched from outside; a table at the end (FUZZ="--cases 100000 --seed 1")
	@PYTHONPATH=jobs:tests/faults:tests/unit $(LAKE) -m fuzz $(FUZZ)

up: setup ## start the embedded stack, or repair it
	@$(KHLANG) up

down: ## stop the embedded stack
	@$(KHLANG) down

status: ## health, addresses, folders, freshness
	@$(KHLANG) status

lint: setup ## ruff, mypy, import-linter
	@$(LAKE) -m ruff check .
	@$(LAKE) -m ruff format --check .
	@$(LAKE) -m mypy
	@$(VENVS)/lake/bin/lint-imports

docs: setup ## docs/reference from the catalog
	@$(KHLANG) docs

lock: setup ## resolve the hash-locked requirements and jars anew
	@$(PYTHON) infra/local/lock.py
