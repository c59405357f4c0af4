# Everything works on a fresh machine that has Python 3.11 and make; `make` alone lists the targets.
PYTHON ?= $(shell command -v python3.11 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
RUNS := $(VENV)/.runs
READY := $(VENV)/.ready
SHARED ?= ../shared
FAULT_ROUNDS ?= full
VERSION_NOW = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' gateway/__init__.py)

# Tests start the gateway hundreds of times: what is compiled once is kept, also where Python is told not to.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help setup run test check gen lock bench eval security fault dashboard chart chart-run image-test dist dist-test sbom release clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /make \1\t/' | expand -t 18

setup: $(READY) ## make .venv, with soe-gateway in it

# What runs it is there in a third of the time of what tests it.
$(RUNS): requirements/run.txt requirements/build.txt pyproject.toml $(wildcard gateway/*/*_c.c)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 is needed"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt -r requirements/build.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(READY): $(RUNS) requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

run: $(RUNS) ## start the gateway before a sandbox, or before UPSTREAM=https://…
	$(BIN)/soe-gateway demo $(if $(UPSTREAM),--upstream $(UPSTREAM))

# One process more than there are processors: some tests wait, for a browser or for a gateway.
test: setup ## run all tests but those of make fault, the long ones in short
	$(BIN)/pytest -n $$(($$(nproc) + 1)) --dist worksteal --ignore tests/fault $(ARGS)

check: setup ## format, lint, types, import contracts, dead code, generated files, policies and their tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/python scripts/gen.py --check
	$(BIN)/python scripts/lookalikes.py --check
	$(BIN)/python scripts/clean_words.py
	$(BIN)/soe-gateway check
	$(BIN)/soe-gateway check --coverage
	$(BIN)/soe-gateway test

gen: setup ## write the generated documents and tables anew
	$(BIN)/python scripts/gen.py
	$(BIN)/python scripts/lookalikes.py

lock: setup ## lock the dependencies anew
	for set in build run dev; do $(BIN)/uv pip compile --quiet --upgrade --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --python-version 3.11 \
	  requirements/$$set.in -o requirements/$$set.txt; done

bench: setup ## measure against nginx and stock httpx, side by side; ARGS=--short
	$(BIN)/python bench/read.py $(ARGS)
	$(BIN)/python bench/write.py $(ARGS)
	$(BIN)/python bench/seed.py $(ARGS)
	$(BIN)/python bench/audit.py $(ARGS)

eval: setup ## how well copies, boilerplate and floods are found, where the corpora are; ARGS=--over-http
	SHARED=$(SHARED) $(BIN)/python bench/detection/run.py $(ARGS)

security: setup ## fire the catalogue and the fuzzers, where they are present; SECONDS_FUZZ=60
	SHARED=$(SHARED) SECONDS_FUZZ=$(or $(SECONDS_FUZZ),60) scripts/security $(ARGS)
	DOCUMENT_EXAMPLES=3 $(BIN)/pytest -rs --timeout 300 tests/e2e/test_clients.py -k vendors_document

fault: setup ## break what the gateway needs, under load, and compare what all sides know; ARGS=-k kill
	FAULT_ROUNDS=$(FAULT_ROUNDS) $(BIN)/pytest -n auto --dist worksteal tests/fault tests/property/test_state_machine.py tests/property/test_state_lost.py $(ARGS)

dashboard: setup ## ask a real Prometheus for every panel of the Grafana dashboard, and draw them for the docs
	PICTURES=docs/images $(BIN)/pytest --timeout 400 tests/deploy/test_dashboard_live.py $(ARGS)

chart: setup ## lint and render the Helm chart by helm 4 and 3, against the schemas of Kubernetes
	$(BIN)/python scripts/chart_tools.py
	$(BIN)/pytest -rs $(filter-out %_run.py,$(wildcard tests/deploy/test_chart_*.py)) $(ARGS)

chart-run: setup ## run the pod that the chart renders, where podman and the image are (make image-test)
	$(BIN)/python scripts/chart_tools.py
	CONTAINERS=run $(BIN)/pytest -rs tests/deploy/test_chart_run.py $(ARGS)

image-test: setup ## build the image and run it as restricted as a cluster would, where buildah and podman are
	CONTAINERS=build $(BIN)/pytest -rs tests/deploy/test_image.py $(ARGS)

dist: setup ## build the sdist, and of it the wheel, in dist/; the same commit gives the same wheel
	rm -f dist/*.whl dist/*.tar.gz
	SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} $(BIN)/uv build --quiet --offline \
	  --no-build-isolation --python $(BIN)/python --out-dir dist

dist-test: setup ## build twice and compare, install the wheel where nothing else is, run the demo of it, read the SBOM
	DIST=install $(BIN)/pytest -rs --timeout 300 tests/release $(ARGS)

sbom: setup ## list what the gateway is made of in dist/sbom.json (CycloneDX), from the hashed lock
	mkdir -p dist
	sed "s/^dynamic = .*/version = \"$(VERSION_NOW)\"/" pyproject.toml > dist/pyproject.toml
	$(BIN)/cyclonedx-py requirements requirements/run.txt --pyproject dist/pyproject.toml \
	  --output-reproducible --validate -o dist/sbom.json 2>/dev/null
	rm dist/pyproject.toml

release: setup ## write VERSION into its one place, and its changelog from the fragments
	@echo "$(VERSION)" | grep -qxE '[0-9]+\.[0-9]+\.[0-9]+' || { echo "make release VERSION=1.2.3"; exit 2; }
	sed -i 's/^__version__ = .*/__version__ = "$(VERSION)"/' gateway/__init__.py
	$(BIN)/towncrier build --yes --version $(VERSION)
	@echo 'Now: git commit -am "Release $(VERSION)" && git tag v$(VERSION) && git push --tags'

clean: ## remove what the other targets made
	rm -rf $(VENV) .cache .run build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find gateway -name '*.so' -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
