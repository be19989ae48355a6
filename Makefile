# medllm: the daily verbs, and the DAG of a release. Needs GNU make 4.3.
#
#   make demo                                     the whole path on this machine, in minutes
#   make release CONFIG=configs/llama2-7b.yaml    the same path for another config
#   make -n release                               the plan
#
# A stage's manifest is its target; a slice of the config (rewritten only when its content changes)
# is what re-runs it. Each stage judges again by content, so a wrong time stamp costs a second.

CONFIG ?= configs/demo.yaml
SET ?=
PYTHON ?= python3
QUESTION ?= I have had a tight band around my head since this morning. What could it be?

VENV := .venv
PIP := $(VENV)/bin/python -m pip --quiet --disable-pip-version-check
MEDLLM := $(VENV)/bin/medllm
READY := $(VENV)/.ready
RUN := build/$(basename $(notdir $(CONFIG)))
OPTIONS = --config $(CONFIG) $(foreach pair,$(SET),--set $(pair))
STAGES := base prepare train merge convert imatrix quantize fidelity modelfile create eval bundle vectors
SLICES := $(STAGES:%=$(RUN)/config/%.json)
manifest = $(RUN)/$(1)/manifest.json

.DEFAULT_GOAL := help
.PHONY: help setup demo release status doctor check fmt docs test test-slow clean FORCE $(STAGES)

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- the machine -----------------------------------------------------------------------------

setup: $(READY) ## install everything, llama.cpp and its tools included, into .venv

$(READY): requirements.lock requirements-nodeps.lock pyproject.toml scripts/llama_cpp_wheel.py scripts/llama_cpp_build.py
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip wheel
	wheel=$$($(VENV)/bin/python scripts/llama_cpp_wheel.py) && \
	  $(PIP) install --find-links "$$(dirname "$$wheel")" -r requirements.lock && \
	  $(PIP) install --no-deps --force-reinstall "$$wheel"
	$(PIP) install --no-deps -r requirements-nodeps.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

doctor: $(READY) ## say what this machine has and lacks
	$(MEDLLM) doctor

# ---- the path --------------------------------------------------------------------------------

demo: release ## run the main job start to end and ask the model a question
	$(MEDLLM) ask $(OPTIONS) "$(QUESTION)"

release: $(call manifest,fidelity) $(call manifest,eval) ## data to evaluated model, for CONFIG=configs/….yaml
	@cat $(RUN)/fidelity/fidelity.txt $(RUN)/eval/report.txt

status: $(READY) ## say which stages of CONFIG are done, stale or missing
	@$(MEDLLM) status $(OPTIONS)

# "+" runs the line even under -n: the plan needs to know which slices changed.
$(SLICES) &: $(CONFIG) FORCE | $(READY)
	+@test ! -x $(MEDLLM) || $(MEDLLM) slices $(OPTIONS)

$(STAGES): %: $(RUN)/%/manifest.json

# What a stage says of itself goes to stderr; stdout holds eval's table, which release shows.
$(RUN)/%/manifest.json: $(RUN)/config/%.json
	$(MEDLLM) $* $(OPTIONS) >/dev/null

$(call manifest,prepare): $(call manifest,base)
$(call manifest,train): $(call manifest,base) $(call manifest,prepare)
$(call manifest,merge): $(call manifest,base) $(call manifest,train)
$(call manifest,convert): $(call manifest,base) $(call manifest,prepare) $(call manifest,train)
$(call manifest,imatrix): $(call manifest,prepare) $(call manifest,convert)
$(call manifest,quantize): $(call manifest,convert) $(call manifest,imatrix)
$(call manifest,fidelity): $(call manifest,prepare) $(call manifest,convert) \
  $(call manifest,imatrix) $(call manifest,quantize)
$(call manifest,modelfile): $(call manifest,base) $(call manifest,prepare) $(call manifest,quantize)
$(call manifest,create): $(call manifest,base) $(call manifest,convert) $(call manifest,quantize) $(call manifest,modelfile)
$(call manifest,eval): $(call manifest,base) $(call manifest,prepare) $(call manifest,convert) \
  $(call manifest,quantize) $(call manifest,modelfile) $(call manifest,create)

$(call manifest,bundle): $(call manifest,base) $(call manifest,prepare) $(call manifest,train) \
  $(call manifest,quantize) $(call manifest,fidelity) $(call manifest,modelfile) \
  $(call manifest,create) $(call manifest,eval)

$(call manifest,vectors): $(call manifest,prepare)

# ---- the code --------------------------------------------------------------------------------

check: $(READY) ## style, types, and that docs/cli.md is what --help says
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/python scripts/cli_docs.py --check

fmt: $(READY) ## put the code in order
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

docs: $(READY) ## write docs/cli.md again
	$(VENV)/bin/python scripts/cli_docs.py

test: $(READY) ## the tests (at most 8 minutes on two cores)
	$(VENV)/bin/pytest -m "not slow" --numprocesses auto

test-slow: $(READY) ## the tests that run the whole path
	$(VENV)/bin/pytest -m slow

clean: ## delete every run; the environment and the cached llama.cpp stay
	rm -rf build
