# make demo and make test set everything up by themselves; make help lists the rest.
# Needs python >= 3.11 with venv, g++, make and perl.

PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check
INSTALLED := $(VENV)/.installed

.PHONY: help install demo test regress bitstreams lint format docs clean

help:
	@echo "make install  make .venv with the matweave command and all extras"
	@echo "make demo     classify real handwritten digits on a generated engine"
	@echo "make test     run the tests (TESTS='-k name' selects)"
	@echo "make regress  run the long form and print the table of gates"
	@echo "make bitstreams  build the demos for a board, ulx3s_85f unless BOARDS='a b' says which, and run the slow FPGA tests"
	@echo "make lint     check style;  make format: apply it"
	@echo "make docs     remake the pages that are made from code"
	@echo "make clean    remove what was built, .venv too"

install: $(INSTALLED)

# Once, and again when the dependencies change. A half-made .venv is made anew.
$(INSTALLED): pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "matweave: error: Python 3.11 or newer is needed; set PYTHON=python3.x")'
	@test -x $(VENV)/bin/pip || $(PYTHON) -m venv --clear $(VENV) || \
		{ rm -rf $(VENV); echo "matweave: error: python -m venv failed; Debian: apt install python3-venv" >&2; exit 2; }
	$(PIP) install --quiet --editable '.[demo,formal,fpga,networks,test,weights]'
	@touch $@

demo: install
	$(VENV)/bin/matweave demo

test: install
	$(VENV)/bin/python -m pytest -n auto $(TESTS)

regress: install
	$(VENV)/bin/python -m matweave.sim.regress

# Hours on two cores from an empty cache; what is built already is taken from there.
BOARDS ?= ulx3s_85f
DEMOS ?= digits digits-ent

bitstreams: install
	@for board in $(BOARDS); do for demo in $(DEMOS); do \
		$(VENV)/bin/matweave build $$demo --board $$board -o build/$$demo-$$board || exit; \
	done; done
	$(VENV)/bin/python -m pytest -m slow tests/fpga

lint: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

format: install
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

docs: install
	$(VENV)/bin/python docs/make.py

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis sim_build results demo_out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
