# The commands of the README. Each makes the environment first, from the pinned lock, where it is not there yet.

PYTHON ?= python3
CONFIG ?= config/demo.yaml
CORES ?= 2
VENV := .venv
READY := $(VENV)/.ready
# A lock of the kernel ends with the process that holds it, also when that is killed; Snakemake's own would have to be removed by hand.
LOCKED := $(if $(shell command -v flock),flock --nonblock --conflict-exit-code 75 .yuragi.lock)
SNAKEMAKE := $(LOCKED) $(VENV)/bin/snakemake $(if $(LOCKED),--nolock) --cores $(CORES)

.PHONY: run test lint bench manual references docs lock environment allensdk

run: $(READY)
	@test -f $(CONFIG) || { echo "CONFIG=$(CONFIG): no such file; choose one of: $(wildcard config/*.yaml)" >&2; exit 2; }
	$(SNAKEMAKE) --configfile $(CONFIG) || { status=$$?; [ $$status != 75 ] || echo "another run is going on in this folder; wait for it" >&2; exit $$status; }
	@report=results/$$($(VENV)/bin/yuragi config --name $(CONFIG))/report.html; \
	$(SNAKEMAKE) --configfile $(CONFIG) --report $$report --quiet all && echo "The report: $$report"

test: $(READY)
	$(VENV)/bin/python -m pytest --numprocesses $(CORES) --dist worksteal

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/snakefmt --check Snakefile workflow
	$(VENV)/bin/snakemake --lint

bench: $(READY)
	$(VENV)/bin/python benchmarks/scaling.py
	$(VENV)/bin/python benchmarks/peers.py

# Pages that are generated from the code: the configuration's manual and schema, the list of data sets.
manual: $(READY)
	$(VENV)/bin/yuragi config --schema config/schema.json --manual config/README.md
	$(VENV)/bin/yuragi datasets --readme data/README.md

# The brain targets that come with yuragi, computed anew from their recordings.
REFERENCES := legare2025_zebrafish yamada2015_v1 yamada2015_legare2025

references: $(READY)
	for name in $(REFERENCES); do \
	  $(SNAKEMAKE) --configfile config/reference_$$name.yaml && cp results/reference_$$name/target.nc src/yuragi/targets/reference_files/$$name.nc || exit; \
	done

docs: $(READY)
	$(VENV)/bin/mkdocs build --strict

environment: $(READY)

$(READY): envs/lock.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "yuragi needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --requirement envs/lock.txt
	$(VENV)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# The Allen Brain Observatory's SDK, whose pins cannot live beside ours: only fetching its data needs it.
allensdk: .venv-allensdk/.ready

.venv-allensdk/.ready: envs/allensdk.txt
	$(PYTHON) -m venv .venv-allensdk
	.venv-allensdk/bin/python -m pip install --quiet --requirement envs/allensdk.txt
	@touch $@

# Resolve the ranges of pyproject.toml anew, in an environment of its own, and pin what comes out.
lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet 'torch==2.13.*' --editable '.[workflow,build,test,lint,docs]'
	{ sed -n '/^#/p' envs/lock.txt; .venv-lock/bin/python -m pip freeze --exclude-editable | sed 's/^\(torch==[0-9.]*\).*/\1/'; } > envs/lock.new
	mv envs/lock.new envs/lock.txt
	rm -r .venv-lock
