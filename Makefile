# Every door of the laboratory. Each line works on a fresh machine: the first use makes .venv from pinned versions.

PYTHON ?= python3
DATASET ?= digits
CATEGORY ?=
SEED ?= 0
# Extra arguments for pip, for example: make setup PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"
PIP_ARGS ?=

V := .venv
BIN := $(V)/bin
NOTEBOOKS := $(wildcard notebooks/*.ipynb)

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run setup test test-fast lab notebooks results data docs bench clean
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 12

run: $(V)/.ready  ## the main job: train three modes, S_a, semantic deviation [DATASET= CATEGORY= EPOCHS= SEED= ROOT= SIZE=]
	$(BIN)/rscvae run --dataset "$(DATASET)" $(if $(CATEGORY),--category "$(CATEGORY)") --seed "$(SEED)" $(if $(EPOCHS),--epochs "$(EPOCHS)") \
		$(if $(ROOT),--root "$(ROOT)") $(if $(SIZE),--image-size "$(SIZE)")

setup: $(V)/.ready  ## .venv with the pinned requirements and the package

$(V)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(V)
	$(BIN)/pip install --quiet --requirement requirements.lock $(PIP_ARGS)
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

test: $(V)/.ready  ## the whole test suite, notebooks included
	$(BIN)/python -m pytest --quiet --durations=10 --numprocesses auto --maxprocesses 4 --dist loadfile

test-fast: $(V)/.ready  ## what needs no notebook, browser, cluster or long training: under two minutes
	$(BIN)/python -m pytest --quiet -m "not slow" tests

lab: $(V)/.ready  ## JupyterLab, opened at the first notebook
	$(BIN)/jupyter lab $(firstword $(sort $(NOTEBOOKS)))

notebooks: $(V)/.ready  ## regenerate every notebook's stored outputs from one clean run
	$(BIN)/rscvae notebooks

results: $(V)/.ready  ## repeat every training behind results/, into runs/results: days, safe to stop and go on with
	results/sweeps.sh

data: $(V)/.ready  ## fetch and verify a data set: make data DATASET=mnist
	$(BIN)/rscvae data fetch "$(DATASET)"

docs: $(V)/.ready  ## the documentation as a site, .docs/html/index.html: offline, links checked
	$(BIN)/pip install --quiet --requirement docs/requirements.lock $(PIP_ARGS)
	$(BIN)/python -m sphinx -q -W --keep-going -c docs -d .docs/cache . .docs/html
	docs/explorable/build.sh
	$(BIN)/rscvae explore --out .docs/html/explorable
	$(BIN)/python docs/check.py .docs/html

bench: $(V)/.ready  ## the benchmark table, side by side in one run
	$(BIN)/rscvae bench

clean:  ## remove .venv, what was built, and all runs
	rm -rf $(V) .build .docs runs
