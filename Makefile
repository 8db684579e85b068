# Two commands are enough: `make run` and `make test`. `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
INPUT ?= seeds
OUT ?= out
DATASET ?=
FHIR ?= R4
PORT ?= 8080
KILLS ?= 50
SECONDS ?= 600

export DAGSTER_DISABLE_TELEMETRY := yes
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help run test test-servers test-browser screenshot quick conformance fhir-server test-kills bench bench-load bench-extraction bench-after lint format types golden train dev dist constraints clean docs test-engines bench-engines bench-lengths bench-peers fuzz

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 24

# A stamp, so that set-up is repeated only when what it installs has changed.
$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "case2fhir needs Python 3.11 or newer, and '$(PYTHON)' was not found: try 'make PYTHON=/path/to/python3.11 ...'" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "case2fhir needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) -V 2>&1): try 'make PYTHON=/path/to/python3.11 ...'" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt hatchling editables
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[dev]'
	@touch $@

$(STAMP)-engines: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,dask,spark]'
	@touch $@

run: $(STAMP)  ## the main job on INPUT (seeds) into OUT (out)
	$(BIN)/case2fhir run $(INPUT) --out $(OUT)

test: $(STAMP)  ## all tests but those of test-servers and test-engines
	$(BIN)/python -m pytest -m 'not server and not engines'

test-servers: $(STAMP)  ## HL7's validator and real HAPI FHIR servers; needs JDK 17, Maven, npm
	$(BIN)/python -m pytest -m server $(TESTS)

test-browser: $(STAMP)  ## the review pages in Chromium, which has to be there
	$(BIN)/python -m pytest -m browser

screenshot: $(STAMP)  ## docs/images/case.png anew, from the seeds; needs Chromium
	$(BIN)/case2fhir run seeds --out build/screenshot --no-data-docs
	$(BIN)/case2fhir review build/screenshot
	$(BIN)/python -m tests.integration.screenshot build/screenshot imatinib-erythema-multiforme docs/images/case.png

quick: $(STAMP)  ## the tests that take no more than a few seconds
	$(BIN)/python -m pytest -m 'not slow and not server and not browser and not engines'

test-engines: $(STAMP)-engines  ## Dask and Spark on clusters of two workers; needs Java 17; pyspark is a download of 456 MB
	$(BIN)/python -m pytest -m engines

conformance: $(STAMP)  ## HL7's validator over DATASET (the output of the seeds, if none is given); needs JDK 17, Maven, npm
ifeq ($(DATASET),)
	$(BIN)/case2fhir run seeds --out build/conformance
endif
	$(BIN)/python -m tests.integration.conformance $(or $(DATASET),build/conformance)

fhir-server: $(STAMP)  ## a HAPI FHIR server (FHIR R4 or R5) on PORT (8080), data in memory; needs JDK 17, Maven
	$(BIN)/python -m tests.integration.fhir_server $(FHIR) $(PORT)

test-kills: $(STAMP)  ## runs killed at random moments, KILLS (50) times
	KILLS=$(KILLS) $(BIN)/python -m pytest tests/integration/test_kills.py

bench: $(STAMP)  ## how fast files become a dataset, and what a second run costs, on texts made of the seeds, or on TEXTS (JSON Lines)
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.pipeline $(TEXTS) $(ARGS)

bench-engines: $(STAMP)-engines  ## what a second worker brings with each engine, on texts made of the seeds, or on TEXTS (JSON Lines)
	$(BIN)/python -m benchmarks.engines $(TEXTS) $(ARGS)

bench-load: $(STAMP)  ## how fast DATASET (the output of the seeds, if none is given) goes into a HAPI FHIR server; needs JDK 17, Maven
ifeq ($(DATASET),)
	$(BIN)/case2fhir run seeds --out build/bench-load --no-data-docs
endif
	$(BIN)/python -m benchmarks.load $(or $(DATASET),build/bench-load) $(ARGS)

bench-extraction: $(STAMP)  ## how fast reports are read, on texts made of the seeds, or on TEXTS (JSON Lines)
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.extraction $(TEXTS) $(ARGS)

bench-after: $(STAMP)  ## what a report costs after its extraction, stage by stage, on texts made of the seeds, or on TEXTS (JSON Lines)
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.after $(TEXTS) $(ARGS)

bench-lengths: $(STAMP)  ## time against length, up to 5 MB of one text, one sentence, one token
	$(BIN)/python -m benchmarks.lengths $(ARGS)

bench-peers: $(STAMP)  ## side by side with medspaCy and negspaCy (installed under build/), on texts made of the seeds, or on TEXTS
	$(BIN)/python -m benchmarks.peers $(TEXTS) $(ARGS)

fuzz: $(STAMP)  ## every source and the extractor, fuzzed for SECONDS (600); needs CPython 3.11 to 3.13 on Linux
	@test -d build/fuzz/atheris || $(BIN)/python -m pip install --quiet --no-deps --target build/fuzz atheris==3.0.0
	PYTHONPATH=build/fuzz $(BIN)/python -m tests.fuzz --seconds $(SECONDS)

lint: $(STAMP)  ## style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP)  ## put style and format right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP)  ## static types
	$(BIN)/mypy

golden: $(STAMP)  ## rewrite the expected outputs under tests/data and in docs; look at the diff before committing it
	$(BIN)/python -m pytest tests/integration --update-golden

train: $(STAMP)  ## train the shipped models anew from the annotated data in DATA
	@test -d "$(DATA)" || { echo "make train DATA=DIR: DIR is the folder of the annotated data (docs/accuracy.md); '$(DATA)' is no folder" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[dev,train]'
	$(BIN)/python -m training.train --data $(DATA)
	$(BIN)/python -m training.priors --data $(DATA)
	$(BIN)/python -m training.contexts --data $(DATA)
	$(BIN)/python -m training.candidates --data $(DATA)

dev: $(STAMP)  ## Dagster's web page with the assets, checks, schedule and sensor
	mkdir -p .dagster && cp dagster.yaml .dagster/
	DAGSTER_HOME=$(CURDIR)/.dagster $(BIN)/dagster dev -w workspace.yaml

docs: $(STAMP)  ## the documentation as a site in build/site; fails on a broken link
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

dist: $(STAMP)  ## wheel and source archive in dist/
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .

constraints:  ## pin anew what a clean install brings
	rm -rf $(VENV)-pins
	$(PYTHON) -m venv $(VENV)-pins
	$(VENV)-pins/bin/python -m pip install --quiet hatchling editables
	$(VENV)-pins/bin/python -m pip install --quiet --editable '.[dev,train,dask,spark]'
	{ sed -n '/^#/p' constraints.txt; $(VENV)-pins/bin/python -m pip freeze --exclude-editable; } > constraints.new
	mv constraints.new constraints.txt
	rm -rf $(VENV)-pins

clean:  ## remove what make has made (not the output of run)
	rm -rf $(VENV) $(VENV)-pins build dist tests/*/target .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
