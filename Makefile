# Everything a newcomer needs: `make run`, `make test`. Each target installs what it needs, once.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3.11
ifeq (, $(shell command -v $(PYTHON) 2>/dev/null))
PYTHON := python3
endif
BIN := .venv/bin
TRAIN := .venv-training/bin
CHECKPOINT ?= training/checkpoints/clinalign-demo
PIP := pip install --quiet --disable-pip-version-check
export OMP_NUM_THREADS ?= 1

.PHONY: install run test test-slow coverage lint bench clean
# The two environments are made side by side: each mostly waits for the network.
install: ## the gateway, ready to serve
	@$(MAKE) --no-print-directory -j2 .venv/.installed build/encoder/encoder.json build/demo.gguf build/index/manifest.json build/screen/manifest.json
	@$(BIN)/python -m compileall -q service principles_store # Python may have been told to write no bytecode of its own

run: install ## serve on 127.0.0.1:8080, ask one question, print the guarded answer, keep serving
	$(BIN)/clinalign serve --ask "My daughter is 4 and weighs 16 kg. How much paracetamol can she have?"

test: install .venv/.installed-dev lint ## every check and test that this machine can run, but the slowest and those of other targets
	$(BIN)/python -m pytest tests/core --cov --cov-fail-under=100
	$(BIN)/python -m pytest -n 2 --ignore=tests/core -m "not slow and not verl"

test-slow: install .venv/.installed-dev ## runs that are killed and resumed, two processes that train, builds that are watched
	$(BIN)/python -m pytest -n 2 -m slow

coverage: install .venv/.installed-dev ## which lines and branches of the whole gateway the tests reach; tracing nearly doubles their work
	$(BIN)/python -m pytest -n 2 --cov=service --cov=principles_store --cov-report=term:skip-covered

# The two checkers of types take most of the time, on one core each.
lint: .venv/.installed-dev ## style, types, and who may import whom
	@$(MAKE) --no-print-directory -j2 lint-mypy lint-pyright lint-style
.PHONY: lint-mypy lint-pyright lint-style
lint-mypy:
	$(BIN)/mypy
lint-pyright:
	$(BIN)/pyright
lint-style:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

bench: install .venv/.installed-dev ## latency of a guarded answer over a plain one, into docs/performance.md
	$(BIN)/clinalign load run --report docs/performance.md

clean: ## all that was built, but not the environments
	rm -rf build

# --- environments ---------------------------------------------------------------------------------------------------
.venv/.installed: requirements/gateway.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/$(PIP) -r requirements/gateway.txt hatchling==1.27.0 editables==0.5
	$(BIN)/$(PIP) --no-deps --no-build-isolation -e .
	touch $@

.venv/.installed-dev: requirements/dev.txt .venv/.installed
	$(BIN)/$(PIP) -r requirements/dev.txt
	touch $@

# Torch lives here and nowhere else: it exports the encoder and trains the checkpoint.
.PHONY: install-training
install-training: .venv-training/.installed
.venv-training/.installed: requirements/training.txt
	$(PYTHON) -m venv .venv-training
	$(TRAIN)/$(PIP) -r requirements/training.txt
	touch $@

# TRL and what it stands on join torch there, for alignment.
.PHONY: install-align train-smoke
install-align: .venv-training/.installed-align
.venv-training/.installed-align: requirements/align.txt .venv-training/.installed
	$(TRAIN)/$(PIP) -r requirements/align.txt
	touch $@

train-smoke: install install-align ## every stage of alignment from the demonstration checkpoint, in minutes
	rm -rf build/training/smoke
	$(BIN)/clinalign train run training/runs/smoke.toml

# --- artefacts ------------------------------------------------------------------------------------------------------
build/encoder/encoder.json: training/encoder_export.py requirements/training.txt
	$(MAKE) --no-print-directory install-training
	$(TRAIN)/python -m training.encoder_export --out build/encoder
	touch $@

build/demo.gguf: $(CHECKPOINT)/manifest.json training/gguf.py .venv/.installed
	$(BIN)/python -m training.gguf $(CHECKPOINT) $@

build/index/manifest.json: build/encoder/encoder.json $(shell find principles_store -name '*.yaml') principles_store/topic.py principles_store/building.py .venv/.installed
	$(BIN)/clinalign principles build
	touch $@

build/screen/manifest.json: build/encoder/encoder.json $(wildcard service/pipeline/screen/examples/*.yaml) service/pipeline/screen/fitting.py service/pipeline/screen/wording.py .venv/.installed
	$(BIN)/clinalign screen build

include requirements/vllm.mk
include requirements/clients.mk
include requirements/schema.mk
include requirements/evaluate.mk
include requirements/verl.mk
