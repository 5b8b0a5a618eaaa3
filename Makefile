# Two commands for a newcomer: `make run` and `make test`. Each installs what a fresh Debian lacks.
SHELL := /bin/bash
SWIFT ?= swift
DATA ?= .holdfast
LISTEN ?= 127.0.0.1:7070
RELEASE := .build/release/holdfast
DEBUG := .build/debug/holdfast

.PHONY: help run build test test-all test-swift test-contract test-web test-scenario test-tsan \
	test-asan test-checker test-tools lint bench system-libraries

help:
	@echo "make run            build, start the server on $(LISTEN), load the sample when it is empty"
	@echo "make run KICAD=1    the same with 17,569 real parts of KiCad's symbol libraries"
	@echo "make test           everything a change must pass (at most 20 minutes on 2 cores)"
	@echo "make test-web       the viewer in a real browser; test-scenario: real parts, kill -9"
	@echo "make test-all       all of these, and ThreadSanitizer and AddressSanitizer"
	@echo "make bench          the benchmark against its peers (QUICK=1, JSON=FILE)"
	@echo "make lint           the formatter, strictly"

system-libraries:
	@.ci/install libevent-dev libssl-dev

build: system-libraries
	$(SWIFT) build -c release --product holdfast

run: build
	@.ci/serve-sample "$(RELEASE)" "$(DATA)" "$(LISTEN)" "$(KICAD)"

lint:
	$(SWIFT) format lint --strict --parallel --recursive Package.swift Sources Tests

# Warnings are errors here, not in Package.swift: a newer compiler must not break a user's build.
test: test-tools lint test-swift test-contract

test-tools:
	@.ci/install libevent-dev libssl-dev python3 python3-yaml python3-jsonschema

test-swift: test-tools
	$(SWIFT) build --build-tests --explicit-target-dependency-import-check error -Xswiftc -warnings-as-errors
	@mkdir -p .build/recordings && rm -f .build/recordings/*
	HOLDFAST_RECORDINGS="$(CURDIR)/.build/recordings" $(SWIFT) test --skip-build

# The real server against openapi.yaml, in both directions.
test-contract: test-swift
	python3 Tests/Tools/kicad_to_ndjson_test.py
	HOLDFAST_BIN="$(CURDIR)/$(DEBUG)" Tests/Conformance/run "$(CURDIR)/.build/recordings"

PYTHON := .build/python/bin/python
$(PYTHON): Tests/requirements.txt
	@.ci/install python3-venv
	python3 -m venv .build/python
	.build/python/bin/pip install --quiet -r Tests/requirements.txt
	@touch $(PYTHON)

# A real browser against the real server.
test-web: $(PYTHON)
	@.ci/install chromium fonts-dejavu-core
	$(SWIFT) build --product holdfast
	HOLDFAST_BIN="$(CURDIR)/$(DEBUG)" $(PYTHON) Tests/Web/viewer_test.py

# 17,569 real parts, borrows, kill -9, slow and frozen readers, over real processes.
test-scenario: $(PYTHON)
	$(SWIFT) build --product holdfast
	HOLDFAST_BIN="$(CURDIR)/$(DEBUG)" $(PYTHON) Tests/Scenario/scenario_test.py

test-tsan: system-libraries
	$(SWIFT) test --scratch-path .build-tsan --sanitize=thread --filter "StoreTests|NetworkingTests|ServerTests"

test-asan: system-libraries
	$(SWIFT) test --scratch-path .build-asan --sanitize=address --filter "StoreTests|NetworkingTests|ServerTests"

# The crash tests must refuse builds that are broken on purpose.
test-checker: system-libraries
	Tests/Fixtures/prove-checker

test-all: test test-web test-scenario test-checker test-tsan test-asan

# Against the peers that are installed (nginx, SQLite); QUICK=1 takes less than a minute.
bench: system-libraries
	@.ci/install wrk libsqlite3-0
	$(SWIFT) build -c release --product holdfast
	$(SWIFT) build -c release --product holdfast-bench
	.build/release/holdfast-bench all $(if $(QUICK),--quick) $(if $(JSON),--json $(JSON))
