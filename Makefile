# Two commands for a newcomer: `make run` and `make test`. Each installs what a fresh Debian lacks.
SHELL := /bin/bash
SWIFT ?= swift
DATA ?= .holdfast
LISTEN ?= 127.0.0.1:7070
RELEASE := .build/release/holdfast
# With the Swift library inside: it runs where no Swift is installed, and calls it directly.
BUILD_RELEASE := $(SWIFT) build -c release --static-swift-stdlib --product
DEBUG := .build/debug/holdfast

PYTHON := .build/python/bin/python

# What a fresh Debian lacks. The benchmark's peers are left out: it runs without them.
LIBRARIES := libevent-dev libssl-dev
TOOLS := $(LIBRARIES) openssl curl python3 python3-venv python3-yaml python3-jsonschema chromium fonts-dejavu-core \
	prometheus faketime

.PHONY: help run build test test-all debug lint contract-text test-lint test-swift test-contract test-autobahn \
	test-web test-scenario test-mirror test-run test-converter test-stockroom test-bench test-tsan \
	test-asan test-checker test-load test-fuzz fuzz soak bench tools debian-packages system-libraries

help:
	@echo "make build          the program, in .build/release, to be copied anywhere"
	@echo "make run            build, start the server on $(LISTEN), load the sample when it is empty"
	@echo "make run KICAD=1    the same with 17,569 real parts of KiCad's symbol libraries"
	@echo "make test           everything a change must pass (at most 20 minutes on 2 cores)"
	@echo "make test-NAME      one suite alone: lint swift contract autobahn scenario mirror web"
	@echo "                    run converter stockroom load bench checker; tsan asan fuzz,"
	@echo "                    which make test leaves out"
	@echo "make test-all       all of these (.ci/run: at most 40 minutes)"
	@echo "make fuzz           libFuzzer on every decoder, SECONDS=600 each"
	@echo "make soak           OPERATIONS=1000000 random operations with crashes against a model, then"
	@echo "                    load and fault over real sockets, some 15 minutes (LOAD=kill, JSON=FILE)"
	@echo "make bench          the benchmark against its peers (QUICK=1, JSON=FILE)"
	@echo "make lint           the formatter, strictly"
	@echo "make contract-text  what the server has of openapi/openapi.yaml, after it was changed"

system-libraries:
	@.ci/install $(LIBRARIES)

build: system-libraries
	$(BUILD_RELEASE) holdfast

run: build
	@.ci/serve-sample "$(RELEASE)" "$(DATA)" "$(LISTEN)" "$(KICAD)"

lint:
	$(SWIFT) format lint --strict --parallel --recursive Package.swift Sources Tests sdk/swift

tools: $(PYTHON)

debian-packages:
	@.ci/install $(TOOLS)

# Debian's Python, which has the YAML and JSON schema that Debian's packages bring.
$(PYTHON): Tests/requirements.txt | debian-packages
	/usr/bin/python3 -m venv --system-site-packages .build/python
	.build/python/bin/pip install --quiet --disable-pip-version-check -r Tests/requirements.txt
	@touch $(PYTHON)

# Warnings are errors here, not in Package.swift: a newer compiler must not break a user's build.
debug: system-libraries
	$(SWIFT) build --build-tests --explicit-target-dependency-import-check error -Xswiftc -warnings-as-errors

# Everything a change must pass, in two lanes on two processors; how long each suite takes stands in
# ARCHITECTURE.md. Each suite alone: make test-NAME.
test: tools test-lint debug
	@.ci/together "swift contract autobahn web" "scenario mirror run converter stockroom load bench checker"

# A suite alone builds first; .ci/together, which has built, sets BUILT.
BUILD_FIRST := $(if $(BUILT),,tools debug)

test-lint: lint

# Twice: what talks to servers and mirrors within seconds is not run among tests that compute for as
# long on the threads that tasks share.
TALKING := (Networking|Mirror|Server|Embedded)Tests\.
test-swift: export HOLDFAST_RECORDINGS = $(CURDIR)/.build/recordings
test-swift: $(BUILD_FIRST)
	@mkdir -p .build/recordings && rm -f .build/recordings/*
	$(SWIFT) test --skip-build --filter '$(TALKING)'
	$(SWIFT) test --skip-build --skip '$(TALKING)'

# The contract as the server has it, made of openapi.yaml; test-contract says whether it was.
contract-text: tools
	$(PYTHON) Tests/Tools/contract_text.py

# The real server against openapi.yaml, in both directions; with what test-swift has recorded.
test-contract: $(BUILD_FIRST) $(if $(BUILT),,test-swift)
	HOLDFAST_BIN="$(CURDIR)/$(DEBUG)" PYTHON="$(CURDIR)/$(PYTHON)" \
		Tests/Conformance/run "$(CURDIR)/.build/recordings"

# The WebSocket stack against a suite nobody here wrote; where there is a Python 2.7.
test-autobahn: $(BUILD_FIRST)
	Tests/Autobahn/run

# A real browser against the real server.
test-web: $(BUILD_FIRST)
	HOLDFAST_BIN="$(CURDIR)/$(DEBUG)" $(PYTHON) Tests/Web/viewer_test.py
	HOLDFAST_BIN="$(CURDIR)/$(DEBUG)" $(PYTHON) Tests/Web/events_test.py
	HOLDFAST_BIN="$(CURDIR)/$(DEBUG)" $(PYTHON) Tests/Web/docs_test.py

# 17,569 real parts, borrows, kill -9, slow and frozen readers, over real processes.
test-scenario: $(BUILD_FIRST)
	HOLDFAST_BIN="$(CURDIR)/$(DEBUG)" $(PYTHON) Tests/Scenario/scenario_test.py

# Mirrors as processes: unplugged, killed, contending, on 17,569 real parts.
test-mirror: $(BUILD_FIRST)
	HOLDFAST_BIN="$(CURDIR)/$(DEBUG)" $(PYTHON) Tests/Scenario/mirror_test.py

# What `make run` starts, and its end by Ctrl-C.
test-run: $(BUILD_FIRST)
	HOLDFAST_BIN="$(CURDIR)/$(DEBUG)" $(PYTHON) Tests/Scenario/run_test.py

# The programs in Tests/Tools, and FORMAT.md against a second computation of its test vectors.
test-converter: tools
	$(PYTHON) Tests/Tools/kicad_to_ndjson_test.py
	$(PYTHON) Tests/Tools/format_vectors_test.py

# The worked example: an application of its own over the product Holdfast, two mirrors, real
# processes.
test-stockroom: $(BUILD_FIRST)
	$(SWIFT) build --package-path sdk/swift/stockroom --scratch-path .build-stockroom
	HOLDFAST_BIN="$(CURDIR)/$(DEBUG)" STOCKROOM_BIN="$(CURDIR)/.build-stockroom/debug/stockroom" \
		$(PYTHON) Tests/Scenario/stockroom_test.py

# Load and fault over real sockets and processes, one twentieth of what `make soak` does; and that the
# checker which judges it refuses what is falsified.
test-load: $(BUILD_FIRST)
	$(PYTHON) Tests/Load/checker_test.py
	HOLDFAST_BIN="$(CURDIR)/$(DEBUG)" $(PYTHON) Tests/Load/soak.py --short

# Every path of the benchmark once; the figures of a debug build are not judged.
test-bench: $(BUILD_FIRST)
	.build/debug/holdfast-bench all --quick

test-tsan: tools
	.ci/sanitize thread

test-asan: tools
	.ci/sanitize address

# The crash tests and the simulation must refuse builds that are broken on purpose.
test-checker: system-libraries
	Tests/Fixtures/prove-checker .build-checker

# libFuzzer on every decoder; its build takes four minutes (of a processor), so that the replay of the
# corpus is part of test-swift, and this of none.
SECONDS ?= 600
fuzz: system-libraries
	Tests/FuzzTests/run $(SECONDS)

test-fuzz: system-libraries
	Tests/FuzzTests/run 6

# Hours where somebody wants them; LOAD names some of idle, frozen, slow, kill and fault.
OPERATIONS ?= 1000000
soak: $(BUILD_FIRST) build
	HOLDFAST_MODEL_OPERATIONS=$(OPERATIONS) $(SWIFT) test --skip-build --filter SoakTests
	HOLDFAST_BIN="$(CURDIR)/$(RELEASE)" $(PYTHON) Tests/Load/soak.py $(LOAD) $(if $(JSON),--json $(JSON))

test-all: test test-tsan test-asan

# Against the peers that are installed (nginx, webdis, etcd, NATS, SQLite, LMDB); QUICK=1 takes less than a minute.
bench: system-libraries
	@.ci/install wrk libsqlite3-0 liblmdb0
	$(BUILD_RELEASE) holdfast
	$(BUILD_RELEASE) holdfast-bench
	.build/release/holdfast-bench all $(if $(QUICK),--quick) $(if $(JSON),--json $(JSON))
