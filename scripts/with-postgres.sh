#!/usr/bin/env bash
# Runs a command with a temporary PostgreSQL cluster: scripts/with-postgres.sh COMMAND [ARG…]
#
# The cluster listens on a free port of 127.0.0.1. Its URL is in SLUICE_TEST_POSTGRES_URL. When the command ends, the
# cluster is stopped and deleted. If PostgreSQL is missing, it is installed from the distribution. The script also works
# as root: the cluster then runs as the user postgres.
set -euo pipefail

[ $# -gt 0 ] || { echo "usage: $0 COMMAND [ARG…]" >&2; exit 2; }

find_bin() { find /usr/lib/postgresql -path '*/bin/initdb' -printf '%h\n' 2>/dev/null | sort -V | tail -n 1; }

install() {
    echo "installing PostgreSQL from the distribution" >&2
    local sudo=()
    [ "$(id -u)" -eq 0 ] || sudo=(sudo)
    # No default cluster is needed.
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
[ -n "$bin" ] || { echo "initdb not found below /usr/lib/postgresql after the installation" >&2; exit 1; }

folder=$(mktemp -d "${TMPDIR:-/tmp}/sluice-postgres.XXXXXX")
as_owner=()
if [ "$(id -u)" -eq 0 ]; then
    as_owner=(runuser -u postgres --)
    chown postgres "$folder"
fi
# The owner may not have access to the current folder of the caller.
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

# The kernel picks a free port. Another process may bind it before the cluster does, so a failed start is retried with
# another port.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

pg "$bin/initdb" -D "$folder/data" -U postgres --auth=trust --encoding=UTF8 --no-locale >/dev/null
# The data need not survive a crash of the machine, so fsync is off.
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
