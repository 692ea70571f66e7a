# The commands of the README. Each makes the environment first, from the pinned lock, where it is not there yet.

PYTHON ?= python3
CONFIG ?= config/demo.yaml
CORES ?= 2
VENV := .venv
READY := $(VENV)/.ready
RUN_NAME = $(shell sed -n 's/^name: *//p' $(CONFIG))

.PHONY: run test lint bench manual docs lock environment

run: $(READY)
	$(VENV)/bin/snakemake --cores $(CORES) --configfile $(CONFIG)
	$(VENV)/bin/snakemake --cores $(CORES) --configfile $(CONFIG) --report results/$(RUN_NAME)/report.html --quiet all
	@echo "The report: results/$(RUN_NAME)/report.html"

test: $(READY)
	$(VENV)/bin/python -m pytest --numprocesses $(CORES) --dist worksteal

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/snakefmt --check Snakefile workflow
	$(VENV)/bin/snakemake --lint

bench: $(READY)
	$(VENV)/bin/python benchmarks/scaling.py

# Pages that are generated from the code: the configuration's manual and schema, the list of data sets.
manual: $(READY)
	$(VENV)/bin/yuragi config --schema config/schema.json --manual config/README.md
	$(VENV)/bin/yuragi datasets --readme data/README.md

docs: $(READY)
	$(VENV)/bin/mkdocs build --strict

environment: $(READY)

$(READY): envs/lock.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "yuragi needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --requirement envs/lock.txt
	$(VENV)/bin/python -m pip install --quiet --no-deps --editable .
	@touch $@

# Resolve the ranges of pyproject.toml anew, in an environment of its own, and pin what comes out.
lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet 'torch==2.13.*' --editable '.[workflow,test,lint,docs]'
	{ sed -n '/^#/p' envs/lock.txt; .venv-lock/bin/python -m pip freeze --exclude-editable | sed 's/^\(torch==[0-9.]*\).*/\1/'; } > envs/lock.new
	mv envs/lock.new envs/lock.txt
	rm -r .venv-lock
