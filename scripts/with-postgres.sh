#!/usr/bin/env bash
# Runs a command beside a PostgreSQL cluster of its own:  scripts/with-postgres.sh COMMAND [ARG…]
#
# The cluster lives in a temporary folder, listens on a free port of 127.0.0.1, is reached by the command through
# SLUICE_TEST_POSTGRES_URL, and is gone when the command ends. PostgreSQL is installed from the
# distribution's packages when it is missing. Works as root too, which PostgreSQL itself refuses.
set -euo pipefail

[ $# -gt 0 ] || { echo "usage: $0 COMMAND [ARG…]" >&2; exit 2; }

find_bin() { find /usr/lib/postgresql -path '*/bin/initdb' -printf '%h\n' 2>/dev/null | sort -V | tail -n 1; }

install() {
    echo "PostgreSQL is missing: installing it from the distribution's packages" >&2
    local sudo=()
    [ "$(id -u)" -eq 0 ] || sudo=(sudo)
    # Without a default cluster: ours is the only one that runs.
    "${sudo[@]}" mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo 'create_main_cluster = false' | "${sudo[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
    "${sudo[@]}" apt-get update -qq >&2
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >&2
}

bin=$(find_bin)
if [ -z "$bin" ]; then
    install </dev/null
    bin=$(find_bin)
fi
[ -n "$bin" ] || { echo "there is no initdb below /usr/lib/postgresql, also after the installation" >&2; exit 1; }

folder=$(mktemp -d "${TMPDIR:-/tmp}/sluice-postgres.XXXXXX")
as_owner=()
if [ "$(id -u)" -eq 0 ]; then
    as_owner=(runuser -u postgres --)
    chown postgres "$folder"
fi
# From inside the folder: the owner may not be allowed to stand where the caller stands.
pg() { (cd "$folder" && "${as_owner[@]}" "$@"); }

stop() {
    local status=$?
    trap - EXIT INT TERM HUP
    pg "$bin/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null 2>&1 || true
    rm -rf "$folder"
    exit "$status"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The kernel picks a free port. Another process may take it before the cluster does, so a start that fails is
# tried with the next one.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

pg "$bin/initdb" -D "$folder/data" -U postgres --auth=trust --encoding=UTF8 --no-locale >/dev/null
# Nothing of a test cluster outlives the tests: no fsync, but the same transactions.
settings="-c listen_addresses=127.0.0.1 -c unix_socket_directories=$folder -c max_connections=500 -c fsync=off"
for attempt in 1 2 3 4 5; do
    port=$(free_port)
    if pg "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w -o "$settings -p $port" start >/dev/null 2>&1; then
        break
    elif [ "$attempt" -eq 5 ]; then
        echo "PostgreSQL did not start:" >&2
        cat "$folder/log" >&2
        exit 1
    fi
done

export SLUICE_TEST_POSTGRES_URL="postgres://postgres@127.0.0.1:$port/postgres"
"$@"
