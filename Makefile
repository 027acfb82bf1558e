# The two commands of the README: `make demo` and `make test`. Each does its own set-up on a fresh
# Debian or Ubuntu machine that has Rust.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO_TARGET_DIR ?= target
BINARY := $(CARGO_TARGET_DIR)/release/wakegate
SKIPPED := $(CARGO_TARGET_DIR)/tmp/skipped.txt
VENV := .venv
PYTHON := $(VENV)/bin/python
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help demo demo-said test test-said attack attack-users check features python-tests wheel python-package python-package-tests cluster-tests browser-test instructions packaging-tests screenshots bench-build system browser test-tools train-setup train train-asked clean

help:
	@echo "make demo   build wakegate and judge the recordings in data/"
	@echo "make test   format, lints, tests, docs: everything CI runs"
	@echo "make attack   what an attacker tries, from outside (docs/THREATS.md)"
	@echo "make train WORD=marvin [RECORDINGS=DIR]   train a wake word of your own (models/README.md)"
	@echo "make browser-test   the pages in Chromium alone"
	@echo "make screenshots   the README's pictures, from the pages as they are"
	@echo "make instructions   instructions of the hot path against the baseline (benches/README.md)"
	@echo "make wheel   the Python package (python/README.md)"
	@echo "make cluster-tests   its jobs on Ray and Spark: installs both"
	@echo "make train-setup   what the training recipe in models/train needs"

demo: demo-said system
	cargo build --release --locked --bin wakegate
	$(BINARY) demo --data data

# What is about to happen, before anything does.
demo-said:
	@[ -x $(BINARY) ] || echo "make demo compiles wakegate first: about 12 minutes on two cores, some GB in $(CARGO_TARGET_DIR). Missing packages" \
		"(a C compiler, pkg-config, libasound2-dev) come by apt." >&2

test-said:
	@rm -f $(SKIPPED)
	@echo "make test is all that CI runs: it compiles everything first, into several GB in $(CARGO_TARGET_DIR) and $(VENV). Missing packages (a C compiler," \
		"ALSA's headers, Python's venv, mosquitto, chromium) come by apt, Python's by pip." >&2

# With WAKEGATE_REQUIRE=all a test that would be skipped fails.
test: test-said system test-tools $(VENV)/ready check features python-tests browser-test python-package-tests packaging-tests
	ORT_DYLIB_PATH="$$(echo "$$PWD"/$(VENV)/lib/python3*/site-packages/onnxruntime/capi/libonnxruntime.so.*)" \
		WAKEGATE_FUZZ_S=$(FUZZ_S) cargo test --locked -- --skip users::
	$(MAKE) attack-users
	benches/instructions.sh
	@echo "Skipped:"; sort -u $(SKIPPED) 2>/dev/null || echo "nothing"

# What an attacker tries; FUZZ_S is how many seconds each parser is looked at.
FUZZ_S ?= 5
attack: attack-users
	WAKEGATE_FUZZ_S=$(FUZZ_S) cargo test --locked --test attack -- --skip users::

# The part that is two users, as root where this one can become it; elsewhere each is skipped by its name.
attack-users: | system
	cargo test --locked --test attack --no-run
	runner=env; if [ -n "$(SUDO)" ] && sudo -n true 2>/dev/null; then runner="sudo -E"; fi; \
		cargo test --locked --config "target.\"cfg(unix)\".runner = \"$$runner\"" --test attack users::

check:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items

# What makers embed, with each feature alone and with none; and a speaker's program.
features: system
	for features in "" embedded-model onnxruntime review capture; do \
		echo "wakegate with the features: $${features:-none}"; \
		cargo check --locked -p wakegate --no-default-features --features "$$features"; done
	cargo clippy --locked -p wakegate-cli --no-default-features -- -D warnings
	cargo clippy --locked -p wakegate-cli --no-default-features --features capture -- -D warnings

# Needs valgrind; without it, it says so and is skipped.
instructions: | system
	benches/instructions.sh

# The benches in their own profile, with all dependencies: minutes. `check` compiles them without.
bench-build:
	cargo bench --locked --no-run

python-tests: $(VENV)/ready
	cd models/train && ../../$(PYTHON) -m pytest -q

# The wheel that users install.
wheel: $(VENV)/ready-package
	$(VENV)/bin/maturin build --locked --release -m python/Cargo.toml --out $(CARGO_TARGET_DIR)/wheels

# The wheel in the tests' own profile, so that no dependency is compiled twice.
python-package: $(VENV)/ready-package
	rm -rf $(CARGO_TARGET_DIR)/test-wheels
	$(VENV)/bin/maturin build --locked --profile dev --auditwheel skip -m python/Cargo.toml --out $(CARGO_TARGET_DIR)/test-wheels
	$(PYTHON) -m pip install -q --no-deps --force-reinstall $(CARGO_TARGET_DIR)/test-wheels/*.whl

# Where Ray or Spark is not installed, their tests say so and are skipped.
python-package-tests: python-package
	cargo build --locked --bin wakegate --example review_host
	WAKEGATE="$(abspath $(CARGO_TARGET_DIR))/debug/wakegate" $(PYTHON) -m pytest -q -rs python/tests

# Installs Ray and Spark, 1 GB; Spark needs Java.
cluster-tests: python-package
	$(PYTHON) -m pip install -q -r python/requirements-cluster.txt
	cargo build --locked --bin wakegate --example review_host
	WAKEGATE="$(abspath $(CARGO_TARGET_DIR))/debug/wakegate" $(PYTHON) -m pytest -q -rs python/tests/test_jobs.py

# Add-on, container, alerts, release scripts; those that need a tool which is not here say so and are skipped.
packaging-tests: system $(VENV)/ready-packaging
	cargo build --locked --bin wakegate --example review_host
	WAKEGATE="$(abspath $(CARGO_TARGET_DIR))/debug/wakegate" $(PYTHON) -m pytest -q -rs packaging/tests

# The review page and the evaluation report in Chromium. Where that can't be installed, each test says so and is skipped.
browser-test: system browser $(VENV)/ready
	cargo build --locked --bin wakegate --example review_host
	$(PYTHON) -m pytest -q -rs tests/browser

# The README's pictures, after a page was changed: docs/images.
screenshots: system browser $(VENV)/ready
	cargo build --locked --bin wakegate --example review_host
	@command -v convert >/dev/null || { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq imagemagick; }
	$(PYTHON) tests/browser/screenshots.py

browser:
	@command -v chromium >/dev/null || { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq chromium; } || \
		echo "chromium can't be installed: the browser tests will be skipped" >&2

# A C compiler links the binary, ALSA is how it reaches sound cards; Python brings ONNX Runtime,
# the second runtime of the tests.
system:
	@missing=; \
	command -v cargo >/dev/null || { echo "cargo is missing: expected Rust 1.92 or newer (hint: install it with rustup)"; exit 1; }; \
	command -v cc >/dev/null || missing="$$missing build-essential"; \
	command -v pkg-config >/dev/null || missing="$$missing pkg-config"; \
	pkg-config --exists alsa 2>/dev/null || missing="$$missing libasound2-dev"; \
	python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
	if [ -n "$$missing" ]; then echo "installing with apt:$$missing" >&2; $(SUDO) apt-get update -qq; $(SUDO) apt-get install -y -qq $$missing; fi

# A message broker for the tests; they start it themselves, on a port of their own.
test-tools: | system
	@command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || \
		{ $(SUDO) apt-get update -qq; $(SUDO) apt-get install -y -qq --no-install-recommends mosquitto; }
	@command -v strace >/dev/null || { $(SUDO) apt-get update -qq; $(SUDO) apt-get install -y -qq --no-install-recommends strace; } || \
		echo "strace can't be installed: the tests of a slow disk will be skipped" >&2
	@for tool in ffmpeg sox lame flac; do command -v $$tool >/dev/null || missing=1; done; [ -z "$${missing:-}" ] || \
		{ $(SUDO) apt-get update -qq; $(SUDO) apt-get install -y -qq --no-install-recommends ffmpeg sox lame flac; } || \
		echo "ffmpeg, sox, lame or flac can't be installed: the tests of their files will be skipped" >&2

$(VENV)/ready: models/train/requirements-test.txt | system
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install -q -r models/train/requirements-test.txt
	touch $@

$(VENV)/ready-package: $(VENV)/ready python/requirements-test.txt
	$(PYTHON) -m pip install -q -r python/requirements-test.txt
	touch $@

$(VENV)/ready-packaging: $(VENV)/ready packaging/tests/requirements.txt
	$(PYTHON) -m pip install -q -r packaging/tests/requirements.txt
	touch $@

train-setup: $(VENV)/ready
	$(SUDO) apt-get update -qq
	$(SUDO) apt-get install -y -qq espeak-ng flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts libsndfile1
	$(PYTHON) -m pip install -q -r models/train/requirements.txt

# What a user's own wake word needs: its recordings, if there are any, and what models/README.md says of the rest.
WORK ?= work
SYNTHETIC ?= 1200
STEPS ?= 2400
# Of the letters, digits and hyphens that a package's name may have.
NAME = $(shell echo "$(WORD)" | tr A-Z a-z | tr -cs 'a-z0-9\n' - | sed 's/^-*//;s/-*$$//')-1
train: train-asked train-setup
	cargo build --release --locked --bin wakegate
	mkdir -p $(WORK)
	cd models/train && ../../$(PYTHON) -m wakegate_train.custom_word --word "$(WORD)" \
		$(if $(RECORDINGS),--recordings "$(abspath $(RECORDINGS))") $(if $(PUBLIC),--public "$(abspath $(PUBLIC))") $(if $(PHONES),--phones "$(PHONES)") \
		--work "$(abspath $(WORK))" --binary "$(abspath $(BINARY))" --start ../jarvis-2 \
		--synthetic $(SYNTHETIC) --steps $(STEPS) --out "$(abspath models/$(NAME))"

# Before anything is installed.
train-asked:
	@if [ -z "$(WORD)" ] || { [ -n "$(RECORDINGS)" ] && [ ! -d "$(RECORDINGS)" ]; }; then \
		echo "expected make train WORD=marvin [RECORDINGS=DIR], found WORD='$(WORD)' RECORDINGS='$(RECORDINGS)' (hint: models/README.md)"; exit 2; fi

clean:
	cargo clean
	rm -rf $(VENV)
