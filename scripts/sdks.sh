#!/usr/bin/env bash
# Generates the clients in sdks/ from openapi/openapi.json, and installs each of them as a user would:
#   scripts/sdks.sh [typescript|python|rust]…
#
# Without arguments, all three are generated. A client is skipped if none of its inputs has changed. Missing tools are
# installed into .tools/sdks, and Java from the distribution. A warning of a generator is an error, because it means that
# something is missing in the client: fix the document or the configuration of the generator.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$PWD/.tools/sdks
mkdir -p "$tools"

say() { echo "sdks: $*" >&2; }
fail() { say "$*"; exit 1; }

# fingerprint FILE…: prints a hash of the document, of this script and of the files.
fingerprint() { cat openapi/openapi.json scripts/sdks.sh "$@" | sha256sum; }

# venv FOLDER ARGUMENT…: creates a Python environment and runs pip install with the arguments.
venv() {
    local folder=$1
    shift
    python3 -c 'import ensurepip' 2>/dev/null || scripts/apt-install.sh python3-venv
    rm -rf "$folder"
    python3 -m venv "$folder"
    "$folder/bin/pip" install -q --disable-pip-version-check "$@"
}

# Installs the generators from PyPI. Unlike the npm package, the PyPI package of openapi-generator includes its jar.
generators() {
    local stamp=$tools/generators.stamp
    if [ "$(cat "$stamp" 2>/dev/null)" != "$(sha256sum <sdks/requirements.txt)" ]; then
        venv "$tools/generators" -r sdks/requirements.txt
        sha256sum <sdks/requirements.txt >"$stamp"
    fi
    PATH=$tools/generators/bin:$PATH
}

# quiet LOG PATTERN COMMAND…: runs a generator. Fails and prints the output if the generator fails or if a line matches.
quiet() {
    local log=$1 pattern=$2
    shift 2
    "$@" >"$log" 2>&1 || { cat "$log" >&2; fail "$1 failed"; }
    if grep -E "$pattern" "$log" | grep -vFf "$tools/accepted" >&2; then fail "$1 warns, see above"; fi
}

typescript() {
    node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' ||
        fail "Node 20.19 or later is needed"
    local bin=$tools/typescript/node_modules/.bin user=$tools/typescript-user
    mkdir -p "$tools/typescript"
    cp sdks/typescript/package.json sdks/typescript/package-lock.json "$tools/typescript"
    npm --prefix "$tools/typescript" ci --silent --no-audit --no-fund
    (
        cd sdks/typescript
        rm -rf src/generated dist
        quiet "$tools/typescript.log" '[Ww]arn|WARN|[Dd]eprecat|[Uu]nsupported|[Ee]rror' "$bin/openapi-ts" -f openapi-ts.config.js --no-log-file
        "$bin/tsc" -p .
        # The word may occur in comments.
        if grep -rnw any dist --include='*.d.ts' | grep -vE '^[^:]+:[0-9]+:\s*(\*|/\*|//)' >&2; then
            fail "the types of the client contain any"
        fi
        rm -f "$tools"/sluice-client-*.tgz
        npm pack --silent --pack-destination "$tools" >/dev/null
    )
    rm -rf "$user"
    cp -r sdks/typescript/test "$user"
    npm --prefix "$user" install --silent --no-audit --no-fund "$tools"/sluice-client-*.tgz
}

python() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Python 3.11 or later is needed"
    generators
    local client=sdks/python/sluice_client
    rm -rf "$client" sdks/python/build
    quiet "$tools/python.log" 'WARNING|ERROR|nable to' openapi-python-client generate --path openapi/openapi.json --meta none \
        --config sdks/python/openapi-python-client.yml --output-path "$client" --fail-on-warning
    # A response without a body must be None. The generator gives it, and thereby the whole response, the type Any.
    find "$client/api" -name '*.py' -exec sed -i -E 's/cast\(Any, None\)/None/; s/\bAny \| /None | /g; s/Response\[Any\]/Response[None]/g' {} +
    cp -r sdks/python/overlay/. sdks/python/
    if grep -rnE '(->|Response\[|cast\()\s*Any\b' "$client/api" >&2; then fail "the client returns Any"; fi
    venv "$tools/python-user" -r sdks/python/test/requirements.txt ./sdks/python
    rm -rf sdks/python/build sdks/python/*.egg-info
}

rust() {
    generators
    command -v java >/dev/null || scripts/apt-install.sh default-jre-headless
    rm -rf sdks/rust/src
    sdks/rust/document.py openapi/openapi.json >"$tools/rust.json"
    quiet "$tools/rust.log" 'WARN|ERROR|Exception' openapi-generator-cli generate -i "$tools/rust.json" -g rust -o sdks/rust \
        -c sdks/rust/openapi-generator.yaml
    # The generated functions for event streams expect a single event. Those in events.rs replace them.
    sed -i -E 's/^pub (async fn follow_)/#[allow(dead_code)]\n\1/' sdks/rust/src/apis/{runs,pauses}_api.rs
    cp -r sdks/rust/overlay/. sdks/rust/
    CARGO_TARGET_DIR=$tools/rust-target cargo build --locked --quiet --manifest-path sdks/rust/test/Cargo.toml
}

# Warnings of openapi-generator that don't affect the client, one per line: its support of OpenAPI 3.1 is beta, an
# object with arbitrary fields becomes a map, and a form has a field with a list of files.
cat >"$tools/accepted" <<'LINES'
OpenAPI 3.1 support is still in beta.
ModelUtils - Failed to get the schema name: null
Could not compute datatypeWithEnum from std::path::PathBuf, null
LINES

version=$(python3 -c 'import json; print(json.load(open("openapi/openapi.json"))["info"]["version"])')
for file in sdks/typescript/package.json sdks/python/pyproject.toml sdks/rust/Cargo.toml; do
    grep -qE "^ *\"?version\"?( =|:) \"$version\"" "$file" || fail "the version in $file is not that of the document, $version"
done

[ $# -gt 0 ] || set -- typescript python rust
for client in "$@"; do
    case $client in
        typescript) written=sdks/typescript/dist ;;
        python) written=sdks/python/sluice_client ;;
        rust) written=sdks/rust/src ;;
        *) fail "unknown client $client" ;;
    esac
    sources=$(find "sdks/$client" sdks/requirements.txt -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/target/*' \
        -not -path 'sdks/typescript/src/generated/*' -not -path 'sdks/python/sluice_client/*' -not -path 'sdks/rust/src/*' \
        -not -path '*/.openapi-generator/*' -not -path '*/bin/readme.rs' | sort)
    # shellcheck disable=SC2086 # None of the names has a space.
    mark=$(fingerprint $sources)
    if [ ! -e "$written" ] || [ "$(cat "$tools/$client.stamp" 2>/dev/null)" != "$mark" ]; then
        rm -f "$tools/$client.stamp"
        say "$client"
        "$client"
        echo "$mark" >"$tools/$client.stamp"
    fi
done
