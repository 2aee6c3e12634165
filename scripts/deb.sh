#!/usr/bin/env bash
# Packages the built binary with its manual pages and completions: target/debian/sluice_*.deb.
# Usage: scripts/deb.sh [release|debug]
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${1:-release}
binary=target/$profile/sluice
parts=target/package
rm -rf "$parts" target/debian
mkdir -p "$parts"
"$binary" man "$parts/man"
for shell in bash zsh fish; do
    "$binary" completions "$shell" > "$parts/sluice.$shell"
done

cargo deb --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-deb
[ "$profile" = debug ] && options=(--profile dev --fast) || options=()
cargo deb --locked --quiet --package sluice --no-build --no-strip "${options[@]}"
