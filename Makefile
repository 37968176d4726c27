# `make quickstart` and `make test` set up .venv by themselves; nothing else needs to be installed first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: help setup quickstart lint types test test-slow bench clean

help:            ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

setup: $(READY)  ## create .venv with the tested versions (uv when it is there, else pip)

$(READY): pyproject.toml constraints.txt
	@if command -v uv >/dev/null 2>&1; then \
	  set -e; [ -x $(BIN)/python ] || uv venv --python $(PYTHON) $(VENV); \
	  uv pip install --python $(BIN)/python --constraint constraints.txt --editable '.[dev]'; \
	else \
	  set -e; [ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV); \
	  $(BIN)/python -m pip install --constraint constraints.txt --editable '.[dev]'; \
	fi
	@touch $(READY)

quickstart: $(READY)  ## train on drawn puppets, score and animate a held-out one (about 5 minutes on 2 cores)
	$(BIN)/python train.py experiment=fomm_quickstart
	@set -e; run=$$(ls -td outputs/fomm_quickstart/*/ | head -n 1); run=$${run%/}; \
	echo; echo "Held-out puppets as files:"; \
	$(BIN)/animate data puppets --output $$run/puppets --size 64 --clips 3 --test-clips 6 --format png; \
	echo; echo "Held-out puppets, rebuilt from their first frame (L1 beside that of copying it):"; \
	$(BIN)/animate reconstruct --checkpoint $$run/checkpoints/best.ckpt --data $$run/puppets --output $$run/reconstruction; \
	set -- $$run/puppets/test/*person*[0-9]; \
	$(BIN)/animate drive --checkpoint $$run/checkpoints/best.ckpt --source $$(ls -d $$2/*.png | head -n 1) \
	  --driving $$1 --output $$run/animated.mp4 --grid; \
	echo; echo "picture: $$run/reconstruction/grid.png"; \
	echo "video:   $$run/animated.mp4 (source, driving puppet, result)"

lint: $(READY)   ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint       ## lint, types and the test suite
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term

test-slow: $(READY)  ## the longer drills as well
	$(BIN)/python -m pytest -n 2 --dist worksteal -m slow

bench: $(READY)  ## benchmarks: tables on the screen, JSON in outputs/benchmarks
	$(BIN)/python -m benchmarks

clean:           ## remove the environment and caches, keep outputs/ and data/
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .coverage
