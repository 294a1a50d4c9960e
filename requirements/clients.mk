# Real clients on a running gateway: `make test-clients`. Two environments, since not all of them go with openai 3 yet;
# Node.js and npm come with the first, so that none is needed on the machine. Nothing here runs at the gateway's side.
CLIENTS := .venv-clients/bin
CLIENTS_OPENAI2 := .venv-clients-openai2/bin

.PHONY: test-clients clients-install
clients-install: .venv-clients/.installed .venv-clients-openai2/.installed tests/clients/node_modules/.installed

test-clients: install .venv/.installed-dev clients-install ## real clients and suites on the gateway, into docs/clients.md
	$(BIN)/python -m tests.clients --page docs/clients.md

.venv-clients/.installed: requirements/clients.txt
	$(PYTHON) -m venv .venv-clients
	$(CLIENTS)/$(PIP) -r requirements/clients.txt
	touch $@

.venv-clients-openai2/.installed: requirements/clients-openai2.txt
	$(PYTHON) -m venv .venv-clients-openai2
	$(CLIENTS_OPENAI2)/$(PIP) -r requirements/clients-openai2.txt
	touch $@

tests/clients/node_modules/.installed: tests/clients/package-lock.json .venv-clients/.installed
	PATH="$(CURDIR)/$(CLIENTS):$$PATH" npm ci --prefix tests/clients --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@
