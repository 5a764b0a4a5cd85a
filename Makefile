# Everything runs inside $(VENV), which the first target that needs it creates.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=

BIN := $(VENV)/bin
# The silenced warning is setuptools' page-long note that an editable installation is editable.
INSTALL := PYTHONWARNINGS='ignore:Editable installation' $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable
PACKAGES := ragged analysis workflows

.DEFAULT_GOAL := help
.PHONY: help demo install test thorough fuzz lint format typecheck bench docs wheel clean

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*##/\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

demo: $(VENV)/.installed  ## optimise a small Z' -> tt analysis and write its report to hepgrad-runs/zprime
	$(BIN)/hepgrad demo --output hepgrad-runs/zprime --overwrite
	@printf '\nThe report is %s\n' "$(CURDIR)/hepgrad-runs/zprime/report.html"

install: $(VENV)/.installed-test  ## create the virtual environment with everything the tests need

test: $(VENV)/.installed-test  ## run the tests; PYTEST_ARGS goes to pytest
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(PYTEST_ARGS)

thorough: $(VENV)/.installed-test  ## run the tests that compile whole analyses, which `test` leaves out
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile -m "thorough and not slow" $(PYTEST_ARGS)

TRIES ?= 200

fuzz: $(VENV)/.installed-test  ## attack it TRIES times in every way, and write the counts into docs/reliability.md
	$(BIN)/python -m pytest tests/fuzz -m fuzz --tries $(TRIES) --counts docs/reliability.md --numprocesses 0 $(PYTEST_ARGS)

lint: $(VENV)/.installed-test  ## check style, formatting and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@$(MAKE) --no-print-directory typecheck

format: $(VENV)/.installed-test  ## repair style and formatting where ruff can
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

# The folders are called `ragged`, ... but imported as `hepgrad.ragged`, ...: links give mypy the tree it expects, and
# sed turns the linked paths in its messages back into those of the real files.
typecheck: $(VENV)/.installed-test  ## check types with mypy
	@mkdir -p build/typing/hepgrad
	@ln -sf "$(CURDIR)/package/__init__.py" build/typing/hepgrad/__init__.py
	@for package in $(PACKAGES); do ln -sfn "$(CURDIR)/$$package" build/typing/hepgrad/$$package; done
	$(BIN)/mypy | sed 's#build/typing/hepgrad/__init__#package/__init__#; s#build/typing/hepgrad/##g'

bench: $(VENV)/.installed-test  ## time the hot paths side by side with their peers
	$(BIN)/python -m benchmarks

# one process: forks of a process that has imported JAX may hang
docs: $(VENV)/.installed-docs  ## build the site into build/site; a warning is an error
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -c docs -d build/doctrees . build/site
	@printf '\nThe site is %s\n' "$(CURDIR)/build/site/index.html"

# The wheel is made of the source distribution, as what is published; whoever asks for a compiler gets an error. JAX
# compiles quickly and not well, because the figures of two steps are not looked at.
wheel: $(VENV)/.installed-test  ## build the source distribution and the wheel into build/dist, and run the demo of the wheel alone
	rm -rf build/dist
	$(BIN)/python -c "from setuptools import build_meta; build_meta.build_sdist('build/dist')" > /dev/null
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir build/dist build/dist/hepgrad-*.tar.gz
	@echo 'Installing the wheel in an environment of its own ...'
	@set -e; fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	$(BIN)/python -m venv "$$fresh/venv"; \
	CC=/bin/false CXX=/bin/false "$$fresh/venv/bin/python" -m pip install --quiet --disable-pip-version-check build/dist/hepgrad-*.whl; \
	mkdir "$$fresh/empty"; cd "$$fresh/empty"; unset PYTHONPATH; set -x; \
	"$$fresh/venv/bin/hepgrad" --version; \
	"$$fresh/venv/bin/hepgrad" list; \
	JAX_DISABLE_MOST_OPTIMIZATIONS=1 "$$fresh/venv/bin/hepgrad" demo --steps 2 --no-moving --no-compile-cache --set replicas=2; \
	test -s hepgrad-runs/zprime/report.html

clean:  ## remove what the other targets made, the virtual environment included
	rm -rf $(VENV) build docs/reference hepgrad-runs hepgrad.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -path ./.git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The installation is editable, so only a change of the declared packages and dependencies calls for a new one.
$(VENV)/.installed: pyproject.toml setup.py | $(BIN)/python
	@echo 'Installing hepgrad in $(VENV) ...'
	@$(INSTALL) .
	@touch $@

$(VENV)/.installed-%: pyproject.toml setup.py | $(BIN)/python
	@echo 'Installing hepgrad[$*] in $(VENV) ...'
	@$(INSTALL) '.[$*]'
	@touch $@ $(VENV)/.installed
