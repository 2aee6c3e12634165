#!/usr/bin/env bash
# Sends valid and invalid requests, generated from the OpenAPI document, and checks the responses against the document:
#
#     scripts/with-postgres.sh scripts/api/fuzz.sh SECONDS
#
# Two servers are tested at the same time: one on SQLite without keys, one on PostgreSQL with a key. SECONDS is the sum
# of both durations, so the script takes half of it. SLUICE_BIN is the binary, by default target/debug/sluice. Set
# SLUICE_FUZZ_SEED to the seed of an earlier run to send the same requests again.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-120}
sluice=$(realpath "${SLUICE_BIN:-target/debug/sluice}")
scripts/api/tools.sh
tools=$PWD/.tools/api/python/bin
rules=$PWD/scripts/api/schemathesis.toml

folder=$(mktemp -d "${TMPDIR:-/tmp}/sluice-fuzz.XXXXXX")
stop() {
    local running
    running=$(jobs -p)
    # shellcheck disable=SC2086 # One process id each.
    [ -z "$running" ] || kill $running 2>/dev/null || true
    wait 2>/dev/null || true
}
trap 'stop; rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The `default` response would allow every status.
python3 - openapi/openapi.json "$folder/openapi.json" <<'PY'
import json, sys
document = json.load(open(sys.argv[1]))
for item in document["paths"].values():
    for operation in item.values():
        operation["responses"].pop("default")
json.dump(document, open(sys.argv[2], "w"))
PY

# fuzz NAME DATABASE_URL [SCHEMATHESIS_ARGUMENT…]: runs in a subshell of its own.
fuzz() {
    local name=$1 url=$2 log="$folder/$1.log"
    shift 2
    "$sluice" serve --listen 127.0.0.1:0 --database-url "$url" --data-dir "$folder/$name" \
        --rate-limit 0 --max-run-wait-seconds 1 --log-format json >"$log" 2>&1 &
    # Not local: the trap runs after the function has returned.
    server=$!
    trap 'kill "$server" 2>/dev/null || true; wait 2>/dev/null || true' EXIT
    trap 'exit 143' INT TERM HUP
    local address=
    for _ in $(seq 600); do
        address=$(grep -o '127\.0\.0\.1:[1-9][0-9]*' "$log" | head -n 1) && break
        kill -0 "$server" 2>/dev/null || { cat "$log" >&2; exit 1; }
        sleep 0.1
    done
    echo "== $name: http://$address, $((seconds / 2)) s"
    # Schemathesis writes files into its working folder.
    mkdir -p "$folder/$name.work"
    (cd "$folder/$name.work" && "$tools/schemathesis" --config-file "$rules" run "$folder/openapi.json" \
        --url "http://$address" --max-time "$((seconds / 2))" --seed "${SLUICE_FUZZ_SEED:-$RANDOM}" --no-color "$@") || {
        grep -E '"level":"(ERROR|WARN)"' "$log" | tail -n 20 >&2 || true
        exit 1
    }
}

# start NAME ARGUMENT…: runs `fuzz` beside others and keeps its output.
names=()
processes=()
start() {
    (fuzz "$@") >"$folder/$1.out" 2>&1 &
    processes+=($!)
    names+=("$1")
}

# A server without keys doesn't require one.
start sqlite "sqlite://$folder/sluice.db" --exclude-checks ignored_auth
if [ -n "${SLUICE_TEST_POSTGRES_URL:-}" ]; then
    key=$("$sluice" keys create --name fuzz --scope admin --for-others --database-url "$SLUICE_TEST_POSTGRES_URL")
    start postgres "$SLUICE_TEST_POSTGRES_URL" --header "X-API-Key: $key"
fi

failed=0
for index in "${!processes[@]}"; do
    wait "${processes[$index]}" || failed=1
    cat "$folder/${names[$index]}.out"
done
exit "$failed"
