#!/usr/bin/env bash
# Installs packages of the distribution: scripts/apt-install.sh PACKAGE…
set -euo pipefail

echo "installing missing packages: $*" >&2
sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)
"${sudo[@]}" apt-get update -qq >&2
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
