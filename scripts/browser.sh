#!/usr/bin/env bash
# Installs the tools of the browser tests: Chromium from the distribution if it is missing, and its driver into
# .tools/browser.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=.tools/browser
command -v chromium >/dev/null || scripts/apt-install.sh chromium
if ! cmp -s tests/browser/package-lock.json "$tools/installed"; then
    mkdir -p "$tools"
    rm -f "$tools/installed"
    cp tests/browser/package.json tests/browser/package-lock.json "$tools"
    npm --prefix "$tools" ci --silent --no-audit --no-fund
    cp tests/browser/package-lock.json "$tools/installed"
fi
