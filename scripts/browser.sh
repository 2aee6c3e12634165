#!/usr/bin/env bash
# Installs what the tests in a browser need: Debian's Chromium if there is none, and what drives it into .tools/browser.
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
