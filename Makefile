# The one entry point people need; `make` alone lists the targets.

.DEFAULT_GOAL := help
.PHONY: help run build test lint deny openapi clean nextest

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build and start the server on 127.0.0.1:8080 with a SQLite file
	cargo run --locked --release --bin sluice -- serve

build: ## Build the release binary: target/release/sluice
	cargo build --locked --release --bin sluice

test: nextest ## Install what the tests need, then run all of them on SQLite and PostgreSQL
	cargo build --locked --bin sluice
	cargo test --locked --workspace --doc
	scripts/with-postgres.sh cargo nextest run --locked --workspace

lint: ## Check format, lints and documentation
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
	@if cargo deny --version >/dev/null 2>&1; then $(MAKE) --no-print-directory deny; \
	else echo "cargo-deny is not installed: 'make deny' installs it and checks the dependencies"; fi

deny: ## Check licences, sources and duplicates of the dependencies
	@cargo deny --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-deny
	cargo deny --locked check bans licenses sources

openapi: ## Write openapi/openapi.json anew from the code
	cargo build --locked --bin sluice
	target/debug/sluice openapi > openapi/openapi.json.new
	mv openapi/openapi.json.new openapi/openapi.json

clean: ## Remove everything that was built
	cargo clean

nextest:
	@cargo nextest --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-nextest
