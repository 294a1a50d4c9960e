# schemathesis over our OpenAPI, and the page of all that must hold: `make test-schema`, `make robustness`.
# It has its own environment: it asks a running gateway, needs nothing of ours, and its pytest plugin would load in every test.
PARTS := build/robustness

.PHONY: schema-install test-schema robustness
schema-install: .venv-schema/.installed
.venv-schema/.installed: requirements/schema.txt
	$(PYTHON) -m venv .venv-schema
	.venv-schema/bin/$(PIP) -r requirements/schema.txt
	touch $@

test-schema: install schema-install ## some hundred cases of every kind: no 5xx, no reply that the description does not know
	$(BIN)/clinalign load schema --cases 200 --phases fuzzing

# VLLM_URL is that of a server that runs: `make vllm`.
robustness: install .venv/.installed-dev schema-install ## docs/robustness.md: an hour of two cores
	$(BIN)/clinalign load parity --page $(PARTS)/parity.md
	$(BIN)/clinalign load cancel --page $(PARTS)/cancel.md
	$(BIN)/clinalign load cancel --upstream $(or $(VLLM_URL),http://127.0.0.1:$(VLLM_PORT)/v1) --page $(PARTS)/cancel-vllm.md
	$(BIN)/clinalign load chaos --page $(PARTS)/chaos.md
	$(BIN)/clinalign load flood --page $(PARTS)/flood.md
	$(BIN)/python -m loadtests.fuzz --runs 100000 --page $(PARTS)/fuzz.md
	$(BIN)/clinalign load schema --page $(PARTS)/schema.md
	$(BIN)/clinalign load robustness --report docs/robustness.md
