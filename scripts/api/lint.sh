#!/usr/bin/env bash
# Checks the OpenAPI document in openapi/ and its conversion to OpenAPI 3.0 with linters and the official schemas, and
# rejects changes that break clients of the last release. SLUICE_BIN is the binary (default: target/debug/sluice).
set -euo pipefail
cd "$(dirname "$0")/../.."
sluice=$(realpath "${SLUICE_BIN:-target/debug/sluice}")
scripts/api/tools.sh
folder=$(mktemp -d "${TMPDIR:-/tmp}/sluice-openapi.XXXXXX")
trap 'rm -rf "$folder"' EXIT
"$sluice" openapi --version 3.0 >"$folder/openapi-3.0.json"
node=.tools/api/node/node_modules/.bin
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true

# Warnings are errors.
lint_redocly() {
    local found
    found=$("$node/redocly" lint --config "scripts/api/redocly$2.yaml" --format json "$1" 2>/dev/null) || true
    python3 -c '
import json, sys
found = json.loads(sys.argv[1])
for problem in found["problems"]:
    place = problem["location"][0].get("pointer", "")
    print(problem["severity"], problem["ruleId"], place, problem["message"], sep="  ")
sys.exit(bool(found["problems"]))' "$found" || { echo "redocly rejects $1" >&2; exit 1; }
}

for document in openapi/openapi.json "$folder/openapi-3.0.json"; do
    version=$(basename "$document" .json)
    version=${version#openapi}
    lint_redocly "$document" "$version"
    "$node/spectral" lint --ruleset "scripts/api/spectral$version.yaml" --fail-severity hint --quiet "$document"
    .tools/api/python/bin/openapi-spec-validator --subschema-errors all "$document" >/dev/null ||
        { echo "$document is not a valid OpenAPI document" >&2; exit 1; }
done

# See "Changing the API" in CONTRIBUTING.md.
released=$(find openapi/released -name '*.json' 2>/dev/null | sort -V | tail -n 1)
if [ -n "$released" ]; then
    "$node/redocly" diff --fail-on major "$released" openapi/openapi.json 2>/dev/null ||
        { echo "the changes break clients of $released: see \"Changing the API\" in CONTRIBUTING.md" >&2; exit 1; }
fi
echo "the OpenAPI documents are valid"
