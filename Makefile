# `make` without a target lists the targets.

# Cargo features of packages: the trace exporter.
PACKAGE_FEATURES := --features sluice/otlp

# Cargo features of the binary under test: those of packages, and injected failures and crashes.
TEST_FEATURES := --features sluice/otlp,sluice/failpoints

# Directory for the responses that the end-to-end tests record.
COVERAGE := $(CURDIR)/target/coverage
# Tests mostly wait for servers: run more of them at once than there are cores.
TEST_THREADS := $(shell echo $$(( ($$(nproc) * 3 + 1) / 2 )))
# Duration of the API fuzz test, in seconds for both databases together.
API_FUZZ_SECONDS = 120

# Duration of `make fuzz`.
FUZZ_SECONDS ?= 600

.DEFAULT_GOAL := help
.PHONY: help run build test test-crash test-deb test-fuzz-api deb bench lint deny openapi sdks fuzz clean nextest browser

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build and start the server on 127.0.0.1:8080 with a SQLite file
	cargo run --locked --profile quick --bin sluice -- serve

build: ## Build the release binary for packages: target/release/sluice
	cargo build --locked --release --bin sluice $(PACKAGE_FEATURES)

test: nextest sdks browser ## Install the test tools, then run all tests on SQLite and PostgreSQL
	cargo build --locked --bin sluice $(TEST_FEATURES)
	scripts/api/lint.sh
	@if grep -rqE '^ *//[/!] *```' crates migration --include='*.rs'; then \
	cargo test --locked --workspace --doc $(TEST_FEATURES); fi
	rm -rf $(COVERAGE) && mkdir -p $(COVERAGE)
	SLUICE_COVERAGE=$(COVERAGE) scripts/with-postgres.sh cargo nextest run --locked --workspace $(TEST_FEATURES) \
		--test-threads $(TEST_THREADS)
	scripts/api/coverage.py openapi/openapi.json $(COVERAGE)
	SLUICE_FUZZ_SEED=1 scripts/with-postgres.sh scripts/api/fuzz.sh $(API_FUZZ_SECONDS)

test-fuzz-api: ## Fuzz the API for 15 minutes on each database (API_FUZZ_SECONDS: both together)
	cargo build --locked --bin sluice $(TEST_FEATURES)
	scripts/with-postgres.sh scripts/api/fuzz.sh $(API_FUZZ_SECONDS)
test-fuzz-api: API_FUZZ_SECONDS = 1800

test-crash: nextest ## Run the long crash tests: 100 kills on SQLite and on PostgreSQL
	cargo build --locked --bin sluice $(TEST_FEATURES)
	SLUICE_CRASH_KILLS=$${SLUICE_CRASH_KILLS:-100} scripts/with-postgres.sh cargo nextest run --locked --workspace \
		$(TEST_FEATURES) --profile long -E 'test(crashes::)' --no-capture

deb: build ## Build the Debian package: target/debian
	scripts/deb.sh release

test-deb: ## Test the Debian package in an overlay of this machine (requires root)
	cargo build --locked --bin sluice $(PACKAGE_FEATURES)
	scripts/deb.sh debug
	scripts/test-deb.sh

bench: ## Benchmark the release build (benches/README.md)
	cargo build --locked --release -p sluice -p sluice-bench $(PACKAGE_FEATURES)
	target/release/sluice-bench $(BENCH)

lint: ## Check format, lints, documentation, prose and commit subjects
	python3 -B scripts/lint/test_lint.py --quiet
	python3 -B scripts/lint/prose.py
	python3 -B scripts/lint/commits.py
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
	@if cargo deny --version >/dev/null 2>&1; then $(MAKE) --no-print-directory deny; \
	else echo "cargo-deny is not installed: 'make deny' installs it and checks the dependencies"; fi

deny: ## Check licenses, sources and duplicates of the dependencies
	@cargo deny --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-deny
	cargo deny --locked check bans licenses sources

openapi: ## Generate openapi/openapi.json from the code
	cargo build --locked --bin sluice
	target/debug/sluice openapi > openapi/openapi.json.new
	mv openapi/openapi.json.new openapi/openapi.json

sdks: ## Generate the clients in sdks/ from openapi/openapi.json
	@scripts/sdks.sh

fuzz: ## Fuzz the parsing and validation of definitions for FUZZ_SECONDS (600)
	@cargo fuzz --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-fuzz
	mkdir -p fuzz/corpus/definition
	RUSTC_BOOTSTRAP=1 cargo fuzz run definition --dev --sanitizer none fuzz/corpus/definition fuzz/seeds -- \
		-max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=200 -timeout=10 -max_len=65536 -dict=fuzz/definition.dict

clean: ## Remove all build output
	cargo clean

nextest:
	@cargo nextest --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-nextest

browser:
	@scripts/browser.sh
