# Our multi-node run as verl's own loader reads it, our reward as verl and OpenRLHF call it, a batch by Ray Data:
# `make test-verl`.
# They stand in a folder beside the training environment, whose own pins stay as they are.
.PHONY: test-verl
build/verl/.installed: requirements/verl.txt .venv-training/.installed-align
	rm -rf build/verl
	$(TRAIN)/$(PIP) --no-deps --target build/verl -r requirements/verl.txt
	touch $@

test-verl: install .venv/.installed-dev build/verl/.installed ## 280 MB more: the run's configuration and reward in verl itself
	$(BIN)/python -m pytest tests/contract/test_verl.py tests/contract/test_openrlhf.py
