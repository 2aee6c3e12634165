#!/usr/bin/env bash
# Generates the clients in sdks/ from openapi/openapi.json, and installs each of them as a user would:
#   scripts/sdks.sh [typescript|python|rust]…
#
# All three without an argument. A client of which nothing has changed is left as it is. Tools that are missing are
# installed into .tools/sdks, Java from the distribution's packages. A warning of a generator is a failure: it means a
# client in which something is missing, so the document or the configuration beside the client is to be mended.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$PWD/.tools/sdks
mkdir -p "$tools"

say() { echo "sdks: $*" >&2; }
fail() { say "$*"; exit 1; }

# fingerprint FILE…: of the document, of this script and of the files.
fingerprint() { cat openapi/openapi.json scripts/sdks.sh "$@" | sha256sum; }

# venv FOLDER ARGUMENT…: a Python environment with what pip installs for these arguments.
venv() {
    local folder=$1
    shift
    python3 -c 'import ensurepip' 2>/dev/null || scripts/apt-install.sh python3-venv
    rm -rf "$folder"
    python3 -m venv "$folder"
    "$folder/bin/pip" install -q --disable-pip-version-check "$@"
}

# The generators that PyPI has; openapi-generator comes with its jar there, and from npm without.
generators() {
    local stamp=$tools/generators.stamp
    if [ "$(cat "$stamp" 2>/dev/null)" != "$(sha256sum <sdks/requirements.txt)" ]; then
        venv "$tools/generators" -r sdks/requirements.txt
        sha256sum <sdks/requirements.txt >"$stamp"
    fi
    PATH=$tools/generators/bin:$PATH
}

# quiet LOG PATTERN COMMAND…: runs a generator; what it says is shown when it fails or when a line of it fits.
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
        # Comments may say the word.
        if grep -rnw any dist --include='*.d.ts' | grep -vE '^[^:]+:[0-9]+:\s*(\*|/\*|//)' >&2; then
            fail "the client promises any"
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
    # An answer without a body is None; the generator calls it Any, and with it the type of the whole answer.
    find "$client/api" -name '*.py' -exec sed -i -E 's/cast\(Any, None\)/None/; s/\bAny \| /None | /g; s/Response\[Any\]/Response[None]/g' {} +
    cp -r sdks/python/overlay/. sdks/python/
    if grep -rnE '(->|Response\[|cast\()\s*Any\b' "$client/api" >&2; then fail "the client answers Any"; fi
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
    # The two calls that would take a whole stream for one event are ours, in events.rs.
    sed -i -E 's/^pub (async fn follow_)/#[allow(dead_code)]\n\1/' sdks/rust/src/apis/{runs,pauses}_api.rs
    cp -r sdks/rust/overlay/. sdks/rust/
    CARGO_TARGET_DIR=$tools/rust-target cargo build --locked --quiet --manifest-path sdks/rust/test/Cargo.toml
}

# What openapi-generator says of itself whatever the document; nothing is missing in the client for it: that 3.1 is new
# to it; that an object with any fields becomes a map and no model; that a form has a list of files.
cat >"$tools/accepted" <<'LINES'
OpenAPI 3.1 support is still in beta.
ModelUtils - Failed to get the schema name: null
Could not compute datatypeWithEnum from std::path::PathBuf, null
LINES

version=$(python3 -c 'import json; print(json.load(open("openapi/openapi.json"))["info"]["version"])')
for file in sdks/typescript/package.json sdks/python/pyproject.toml sdks/rust/Cargo.toml; do
    grep -qE "^ *\"?version\"?( =|:) \"$version\"" "$file" || fail "$file has another version than the document, $version"
done

[ $# -gt 0 ] || set -- typescript python rust
for client in "$@"; do
    case $client in
        typescript) written=sdks/typescript/dist ;;
        python) written=sdks/python/sluice_client ;;
        rust) written=sdks/rust/src ;;
        *) fail "there is no client for $client" ;;
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
