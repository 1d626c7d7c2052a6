# `make` runs the pipeline, `make test` runs the tests; both build .venv first.
.DEFAULT_GOAL := all

BIN := .venv/bin
# The stages run `python`, which must be the one in .venv.
export PATH := $(CURDIR)/$(BIN):$(PATH)

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c '$(SUPPORTED)' 2>/dev/null && echo $$python && break; done)

INSTALLED := .venv/installed

$(INSTALLED): requirements.txt pyproject.toml
	@$(if $(PYTHON),,echo "make: found no Python 3.11 to 3.13; install one, or give its path: make PYTHON=/path/to/python" >&2; exit 1)
	@$(PYTHON) -c '$(SUPPORTED)' || { echo "make: $(PYTHON) is not Python 3.11 to 3.13" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.PHONY: all run test faults lint format app live ui serve dashboard results release-models experiments diff docs pictures lock clean help

all: $(INSTALLED)  ## Run the pipeline on the data in params.yaml (default: the built-in sample)
	@python scripts/check_params.py
	dvc repro

run: export SOURCE := $(value SOURCE)
run: export SET := $(value SET)
run: $(INSTALLED)  ## Run the pipeline on your data as an experiment (SOURCE='archive (1).zip' SET='train.epochs=3')
	@python scripts/run.py

test: $(INSTALLED)  ## Run the tests
	pytest --numprocesses auto --maxprocesses 4 --dist loadgroup --no-loadscope-reorder

faults: $(INSTALLED)  ## Kill the pipeline at 20 random moments, in every stage (docs/faults.md; takes 5 to 15 minutes)
	MIEN_FAULTS=long pytest --capture=no tests/faults

lint: $(INSTALLED)  ## Check style, types, and imports between packages
	ruff check
	lint-imports
	ruff format --check
	mypy

format: $(INSTALLED)  ## Format the code
	ruff check --fix
	ruff format

app: $(INSTALLED)  ## Start the browser app on http://127.0.0.1:8501 (PORT=… for another port)
	@streamlit run src/mien/app/server.py --server.address 127.0.0.1 --server.port $(or $(PORT),8501)

live: $(INSTALLED)  ## Start the page for the browser's camera on http://127.0.0.1:8502 (PORT=…; needs npm)
	@python scripts/live.py --serve $(or $(PORT),8502)

ui: $(INSTALLED)  ## Start MLflow on http://127.0.0.1:5000 and print the address that compares models (PORT=…)
	@python scripts/ui.py $(or $(PORT),5000)

serve: $(INSTALLED)  ## Serve the champion on http://127.0.0.1:5001 (MODEL=fer7, PORT=…; docs/serving.md)
	@python scripts/serve.py $(or $(PORT),5001) $(MODEL)

dashboard: $(INSTALLED)  ## Show the tuning studies on http://127.0.0.1:8080 (PORT=… for another port)
	@python scripts/dashboard.py $(or $(PORT),8080)

results: $(INSTALLED)  ## Run on real data, keep the numbers in results (NAME=… SOURCE=…; KEEP=1 keeps the experiment)
	@python scripts/results.py '$(NAME)' '$(SOURCE)' $(if $(KEEP),--keep)
	@python scripts/results_page.py

release-models: $(INSTALLED)  ## Train the four shipped models again (SOURCE=/path/to/fer2013.zip; needs `mien weights faces`)
	@for name in fer7-small fer4-small fer4 fer7-64 fer7; do \
	python scripts/results.py $$name '$(SOURCE)' --ship && git add src/mien/pretrained || exit 1; done
	@git rm --quiet -r --force src/mien/pretrained/fer7-64*  # what fer7 starts from
	@python scripts/results_page.py

docs: $(INSTALLED)  ## Build the documentation in docs/_build; a dead link is an error
	@python scripts/params_page.py
	@python scripts/results_page.py
	sphinx-build -W --keep-going -q -b html docs docs/_build
	@if command -v npm >/dev/null; then python scripts/live.py; \
	else echo "docs: without npm the page of the live camera is left out" >&2; fi

experiments: $(INSTALLED)  ## List the experiments with the params that differ and the scores
	@mien experiments

diff: $(INSTALLED)  ## Show what changed since a Git revision (REV=…; default main), as Markdown
	@python scripts/diff.py '$(or $(REV),main)' --images '$(or $(IMAGES),.mien/diff)'

pictures: $(INSTALLED)  ## Take the pictures of the docs anew from the real pages, after `make` (needs Chromium)
	@python scripts/pictures.py

lock: $(INSTALLED)  ## Update requirements.txt from pyproject.toml (UPGRADE=1 for the newest versions)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	uv pip compile --quiet --universal --python-version 3.11 --no-annotate --no-emit-index-url \
		--no-emit-find-links --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) \
		--extra app --extra pipeline --extra postgres --extra s3 --extra gs --extra docs --extra dev --output-file requirements.txt pyproject.toml

# The cached outs of dvc.yaml: a test compares both. Other files in these folders are the user's.
OUTS := $(addprefix data/,faces/test faces/train faces/validation pictures predictions raw.parquet training) \
	$(addprefix models/,ensemble export train) $(wildcard models/tune/[!.]* models/distill/[!.]*)

clean:  ## Remove .venv and the outs of the pipeline; keeps your files, DVC's cache, MLflow's runs, the studies
	rm -rf .venv docs/_build .mypy_cache .pytest_cache .ruff_cache src/mien.egg-info .mien/train
	rm -rf $(OUTS)
	find src stages tests -name __pycache__ -prune -exec rm -rf {} +

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
