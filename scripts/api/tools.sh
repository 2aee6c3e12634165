#!/usr/bin/env bash
# Installs the tools that check the OpenAPI document and the API into .tools/api, if they are missing or outdated.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tools="$here/../../.tools/api"
mkdir -p "$tools"

# done_for NAME FILE…: succeeds if NAME was installed from these files. done_with records it.
stamp() { shift; cat "$@" | cksum; }
done_for() { [ "$(cat "$tools/$1.done" 2>/dev/null)" = "$(stamp "$@")" ]; }
done_with() { stamp "$@" >"$tools/$1.done"; }

files=("$here/package.json" "$here/package-lock.json")
if ! done_for node "${files[@]}"; then
    echo "installing redocly and spectral" >&2
    mkdir -p "$tools/node"
    cp "${files[@]}" "$tools/node/"
    # The install scripts of these packages only send reports.
    (cd "$tools/node" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
    done_with node "${files[@]}"
fi

files=("$here/requirements.txt")
if ! done_for python "${files[@]}"; then
    echo "installing schemathesis" >&2
    rm -rf "$tools/python"
    python3 -m venv "$tools/python"
    "$tools/python/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir -r "$here/requirements.txt" >&2
    done_with python "${files[@]}"
fi
