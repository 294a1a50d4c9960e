# The guard's parts measured on real cases, into docs/evaluation.md: `make evaluate DATA=FOLDER`.
SECTIONS := build/evaluation
# A separate judge model joins the judge's section by its address, say that of `make vllm CHECKPOINT=FOLDER`.
SEPARATE := $(if $(JUDGE_URL),--judge upstream --upstream $(JUDGE_URL))
ORDER := redflags scenario retrieval applies judge acceptance attacks

.PHONY: evaluate
evaluate: install .venv/.installed-dev ## docs/evaluation.md and its plots, from the data in DATA
	@test -n "$(DATA)" || { echo "say where the data is: make evaluate DATA=FOLDER"; exit 2; }
	mkdir -p $(SECTIONS) docs/evaluation
	$(BIN)/clinalign evaluate redflags --data $(DATA) --page $(SECTIONS)/redflags.md
	$(BIN)/clinalign evaluate scenario --data $(DATA) --page $(SECTIONS)/scenario.md
	$(BIN)/clinalign evaluate retrieval --data $(DATA) --page $(SECTIONS)/retrieval.md
	$(BIN)/clinalign evaluate applies --data $(DATA) --page $(SECTIONS)/applies.md
	$(BIN)/clinalign evaluate judge --data $(DATA)/kqa_nli_physician_labels.jsonl --judge small --judge self $(SEPARATE) --also $(DATA)/healthbench_meta_100_reconstructed.jsonl --page $(SECTIONS)/judge.md
	$(BIN)/clinalign evaluate acceptance --trials 20000 --seed 2 --guide 0.40,0.13 --accept 0.30,0.11 --page $(SECTIONS)/acceptance.md
	$(BIN)/clinalign evaluate attacks --data $(DATA)/promptinjection_garak.jsonl.gz --page $(SECTIONS)/attacks.md
	cp $(SECTIONS)/*.svg docs/evaluation/
	{ printf '# Evaluation\n\nWritten by `make evaluate DATA=FOLDER`. Nothing was fitted on rows that are called reported; where a choice followed an earlier count of them, the section says so. Tuning rows are named as such.\n'; \
	  for part in $(ORDER); do printf '\n'; sed 's#](\([a-z0-9_-]*\.svg\))#](evaluation/\1)#g' $(SECTIONS)/$$part.md; done; } > docs/evaluation.md

.PHONY: examples
examples: install ## docs/examples.md, our own questions and those of DATA, from the gateway that `make run` serves beside it
	@test -n "$(DATA)" || { echo "say where the data is: make examples DATA=FOLDER"; exit 2; }
	$(BIN)/clinalign load examples --data $(DATA)
