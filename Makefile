# Every target does its own set-up: virtual environment, packages, weights.
# PYTHON=python3.12 picks an interpreter; PIP_* variables of pip are honoured.

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
# Names a package set that is installed; a change of the lock or of pyproject installs again.
INSTALLED = $(VENV)/.installed-$(1)

.PHONY: help demo test lint format bench bench-attention bench-types clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(call INSTALLED,local) ## Ask the 0.5B model for code and see it checked
	$(BIN)/codekiln generate --task examples/merge_intervals.md --seed 1

test: $(call INSTALLED,dev) ## Run all tests, the real 0.5B model included
	$(BIN)/codekiln models pull qwen2.5-coder-0.5b
	-$(BIN)/codekiln setup typescript
	$(BIN)/python -m pytest

lint: $(call INSTALLED,dev) ## Format, lint, types and layers
	$(BIN)/ruff format --check src tests bench
	$(BIN)/ruff check src tests bench
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(call INSTALLED,dev) ## Format the code in place
	$(BIN)/ruff format src tests bench
	$(BIN)/ruff check --fix src tests bench

bench: $(call INSTALLED,dev) ## Generation speed beside transformers and llama.cpp (QUICK=1: small)
	$(BIN)/python bench/generation_speed.py

bench-attention: $(call INSTALLED,dev) ## Prefill and decode of long prompts, dense and sparse (hours)
	$(BIN)/python bench/attention_speed.py --model qwen2.5-coder-0.5b
	$(BIN)/python bench/attention_speed.py --model qwen2.5-coder-1.5b

bench-types: $(call INSTALLED,dev) ## Type errors with and without the guard, and what it refuses (hours)
	$(BIN)/codekiln setup typescript
	$(BIN)/python bench/types_guard.py --language typescript --model qwen2.5-coder-0.5b
	$(BIN)/python bench/types_guard.py --language typescript --model qwen2.5-coder-1.5b
	$(BIN)/python bench/types_rejection.py python --package mypy --package pygments --package jinja2 \
		--package anyio --package huggingface_hub --package _pytest --package scipy
	$(BIN)/python bench/types_precision.py

clean: ## Remove the virtual environment and caches of tools (weights stay)
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer found. Install one, or name it: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "error: $(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"; exit 1; }

$(VENV)/.installed-%: $(VENV)/bin/python requirements.lock pyproject.toml
	@echo "Installing the packages of codekiln[$*] into $(VENV) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e ".[$*]"
	@touch $@
