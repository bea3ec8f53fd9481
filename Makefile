# The two commands of a fresh machine: `make train` and `make test`. Each sets everything up.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= -n 2 --dist worksteal
export PYTHONDONTWRITEBYTECODE =  # else every start of the tests compiles them anew
PYTHON_NEXT ?= PYENV_VERSION=$$(pyenv latest 3.13 2> /dev/null) python3.13
TESTS_NEXT ?= tests/config/test_make.py tests/config/test_names.py tests/config/test_recipes.py tests/launch \
	tests/commands/test_cli.py tests/records/test_places.py tests/run/test_search.py
WHOLE_NEXT ?= tests/processes/test_shell.py::test_every_launcher_does \
	tests/launch/test_sweeps.py::test_optuna_searches_by_validation

.DEFAULT_GOAL := help
.PHONY: help setup setup-next setup-ray train test test-slow test-next test-ray test-gpu gates lint types format docs bench bench-costs bench-peers clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: $(VENV)/.ready-dev  ## a virtual environment with everything in it, in the tested versions

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

train: $(VENV)/.ready  ## the main job: Reptile beside its baselines on the embedded dataset, three minutes
	$(BIN)/fewstep train experiment=quickstart

test: setup  ## the tests, on two cores; real data is used where $$FEWSTEP_DATA names it
	$(BIN)/python -m pytest $(WORKERS)

test-slow: setup  ## the tests that take minutes each
	$(BIN)/python -m pytest $(WORKERS) -m 'slow and not alone'
	$(BIN)/python -m pytest -m 'slow and alone'

setup-next: $(VENV)-next/.ready  ## an environment of what comes next: Python 3.13, Hydra 1.4, Optuna 5

$(VENV)-next/.ready: pyproject.toml constraints-next.txt
	$(PYTHON_NEXT) -m venv $(VENV)-next
	$(VENV)-next/bin/python -m pip install --quiet --constraint constraints-next.txt --editable '.[tensorboard,joblib,submitit]' hydra-optuna-sweeper pytest pytest-xdist hypothesis
	touch $@

test-next: setup-next  ## configuration, sweeps and launchers in that; every launcher and sweeper at work
	$(VENV)-next/bin/python -m pytest -n 2 $(TESTS_NEXT)
	$(VENV)-next/bin/python -m pytest -n 2 -m slow $(WHOLE_NEXT)

setup-ray: $(VENV)-ray/.ready  ## an environment with Ray, whose launcher wants an older joblib

$(VENV)-ray/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)-ray
	grep -v '^joblib==' constraints.txt > $(VENV)-ray/constraints.txt
	$(VENV)-ray/bin/python -m pip install --quiet --constraint $(VENV)-ray/constraints.txt --editable '.[ray]' pytest
	touch $@

test-ray: setup-ray  ## Ray's launcher at work, on this machine
	$(VENV)-ray/bin/python -m pytest -m slow tests/launch/test_clusters.py -k ray

test-gpu: setup  ## the tests that need a GPU
	$(BIN)/python -m pytest -m gpu

gates: lint test  ## what must hold before a release: lint, tests, and that these notice some fifty wrong programs
	$(BIN)/python -m pytest -m long
	PYTHONPATH=benchmarks $(BIN)/python -W ignore -m mutation.run
	PYTHONPATH=benchmarks $(BIN)/python -W ignore -m family.run anew
	PYTHONPATH=benchmarks $(BIN)/python -W ignore -m systems.run anew

docs: setup  ## the site of docs/ into build/site, warnings are errors; no page asks another host
	PYTHONPATH=docs:benchmarks:src:. $(BIN)/python -m making
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=docs:src $(BIN)/mkdocs build --strict --quiet
	@echo build/site/index.html

bench: setup  ## time the default configuration in every execution
	$(BIN)/fewstep bench

bench-costs: setup  ## memory, growth, start-up and overhead into benchmarks/results; needs a quiet machine
	PYTHONPATH=benchmarks $(BIN)/python -W ignore -m costs.run

bench-peers:  ## the same work beside learn2learn, higher, TorchOpt and a plain loop; needs a quiet machine
	benchmarks/peers/run.sh

lint: setup  ## what must be clean before a commit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --pythonpath $(BIN)/python

types: setup  ## the last of it alone: what pyright says of src
	$(BIN)/basedpyright --pythonpath $(BIN)/python

format: setup  ## mend what lint can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove the virtual environments and caches; outputs/ stays
	rm -rf $(VENV) $(VENV)-next $(VENV)-ray .pytest_cache .ruff_cache .hypothesis build dist
