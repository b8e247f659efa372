# One vocabulary of verbs over all languages: setup run test check format lint types build clean.
SHELL := /bin/bash
.NOTPARALLEL: # test means: set-up, then checks, then builds
export PATH := $(CURDIR)/.pausemark/bin:$(PATH)
PYTHON := .venv/bin/python
BACKENDS := $(patsubst %/Makefile,%,$(wildcard backends/*/Makefile))
ROOMS := $(BACKENDS) $(patsubst %/Makefile,%,$(wildcard loadgen/Makefile))
SCRIPTS := $(wildcard tools/*.sh backends/*/tests/*.sh) .ci/run
FAST_TESTS := tests/unit tests/pipeline tests/golden tests/docs $(wildcard tests/test_*.py)

# The main job at a modest rate; `make run RPS=10000 DURATION=300s` is the real one.
RPS ?= 1000
DURATION ?= 10s
WARMUP ?= 3s

.PHONY: help setup run test check format lint types rooms build clean bare-debian contract-options

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## setup         install what is missing (says what and why before it does)
setup:
	@tools/setup.sh

## run           set-up, build, then the main job on all backends: table and report
run:
	@PAUSEMARK_WITHOUT="$(PAUSEMARK_WITHOUT) dev browser" tools/setup.sh
	.venv/bin/bench run --rps $(RPS) --duration $(DURATION) --warmup $(WARMUP)

## test          set-up, static checks and every test; what CI runs
test: setup check build
	for room in $(ROOMS); do $(MAKE) --no-print-directory -C $$room test || exit 1; done
	$(PYTHON) -m pytest tests/contract tests/durability tests/differential tests/e2e
	$(PYTHON) -m pytest tests/contract --backends-dir tests/backends --backend python
	$(MAKE) --no-print-directory contract-options

# Options that change where the bytes are, or who has them; the tests that could tell.
CONTRACT_OPTIONS := c/epoll:c.data-path=sendfile \
    c/fastcgi:c.storage=process go/loop:go.index=offheap
CONTRACT_OF_OPTIONS := $(addprefix tests/contract/test_,in_flight.py objects.py copy.py \
    multipart.py)

## contract-options  part of the contract, for options that change where the bytes are
contract-options:
	for one in $(CONTRACT_OPTIONS); do $(PYTHON) -m pytest -q $(CONTRACT_OF_OPTIONS) \
	    --backend "$${one%%:*}" --set "$${one#*:}" || exit 1; done

## check         static checks and the fast tests
check: lint types rooms
	$(PYTHON) -m pytest -q $(wildcard $(FAST_TESTS))

## lint          formats and lints of Python, shell and the rooms' borders
lint:
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	.venv/bin/lint-imports
	shellcheck -x $(SCRIPTS)

## types         mypy --strict
types:
	$(PYTHON) -m mypy

rooms:
	for room in $(ROOMS); do $(MAKE) --no-print-directory -C $$room check || exit 1; done

## format        rewrite sources in the house's format
format:
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .
	for room in $(ROOMS); do $(MAKE) --no-print-directory -C $$room format || exit 1; done

## build         the load generator and every backend, on this host
build:
	$(MAKE) --no-print-directory -C loadgen build OUT=$(CURDIR)/build/loadgen
	for backend in $(BACKENDS); do \
	    $(MAKE) --no-print-directory -C $$backend build \
	        OUT=$(CURDIR)/build/process/$$(basename $$backend) || exit 1; done

## bare-debian   set-up, build and a short run in a bare Debian 13 tree (root, some minutes)
bare-debian:
	tools/bare-debian.sh

## clean         what builds left behind; results and .venv stay
clean:
	for room in $(ROOMS); do $(MAKE) --no-print-directory -C $$room clean || exit 1; done
	rm -rf build .mypy_cache .ruff_cache .pytest_cache

-include nightly.mk bench.mk conformance.mk durability.mk differential.mk fuzz.mk s3-targets.mk
