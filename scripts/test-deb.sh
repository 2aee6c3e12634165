#!/usr/bin/env bash
# Tests the package target/debian/sluice_*.deb: installs it, checks its files, starts the server, and removes it. This
# happens in an overlay over the file system of this machine, which is unchanged afterwards. Mounting the overlay needs
# root.
set -euo pipefail
cd "$(dirname "$0")/.."

deb=$(realpath target/debian/sluice_*.deb)
if [ "${1:-}" != inside ]; then
    [ "$(id -u)" = 0 ] || { echo "test-deb.sh must be run as root" >&2; exit 1; }
    layer=$(mktemp -d)
    trap 'rmdir "$layer"' EXIT
    unshare --mount --pid --fork --kill-child "$0" inside "$layer"
    exit
fi

layer=$2
mount -t tmpfs -o size=1g layer "$layer"
mkdir "$layer/upper" "$layer/work" "$layer/root"
mount -t overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" overlay "$layer/root"
mount -t proc proc "$layer/root/proc"
mount --rbind /dev "$layer/root/dev"
cp "$deb" "$layer/root/sluice.deb"

chroot "$layer/root" /bin/bash -euo pipefail -s <<'INSIDE'
cd /
step() { echo "test-deb: $*"; }
fail() { echo "test-deb: FAILED: $*" >&2; exit 1; }
trap 'fail "line $LINENO"' ERR
# Start as a machine that never had the package.
dpkg --purge sluice >/dev/null 2>&1 || true
userdel sluice 2>/dev/null || true
rm -rf /usr/bin/sluice /etc/sluice /var/lib/sluice

step "install"
dpkg --install /sluice.deb >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; exit 1; }
dpkg --verify sluice
getent passwd sluice | grep -q ':/var/lib/sluice:/usr/sbin/nologin$'
[ "$(stat -c '%a %U' /etc/sluice/sluice.env)" = "600 root" ]
for license in LICENSE-APACHE LICENSE-MIT copyright; do [ -s "/usr/share/doc/sluice/$license" ]; done

step "the service"
unit=$(dpkg --listfiles sluice | grep '/sluice.service$')
warnings=$(systemd-analyze verify "$unit" 2>&1 | grep sluice || true)
[ -z "$warnings" ] || fail "$warnings"
# The threshold is in tenths: below 2.0 of 10 is "OK" for systemd.
systemd-analyze security --offline=true --threshold=20 --no-pager "$unit" | tail -1

step "manual pages and completions"
for command in $(sluice --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]\+\).*/\1/p' | grep -v '^help$'); do
    page=/usr/share/man/man1/sluice-$command.1.gz
    zcat "$page" | grep -q '^.SH OPTIONS'
done
bash -n /usr/share/bash-completion/completions/sluice
grep -q '^#compdef sluice$' /usr/share/zsh/vendor-completions/_sluice
[ -s /usr/share/fish/vendor_completions.d/sluice.fish ]

step "start the server with the settings of the service"
install -d -m 750 -o sluice -g sluice /var/lib/sluice /var/backups/sluice
settings=(SLUICE_LISTEN=127.0.0.1:18080)
while read -r setting; do settings+=("${setting#Environment=}"); done < <(grep '^Environment=' "$unit")
as_sluice=(env --chdir /var/lib/sluice -i "${settings[@]}" setpriv --reuid sluice --regid sluice --clear-groups
    --no-new-privs --bounding-set=-all --inh-caps=-all)
"${as_sluice[@]}" $(sed -n 's/^ExecStart=//p' "$unit") >/tmp/sluice.log 2>&1 &
server=$!
for _ in $(seq 300); do "${as_sluice[@]}" sluice health 2>/dev/null && break; sleep 0.1; done
"${as_sluice[@]}" sluice health || { cat /tmp/sluice.log; fail "the server is not ready"; }
[ -s /var/lib/sluice/sluice.db ] && [ -d /var/lib/sluice/data ]
"${as_sluice[@]}" sluice backup /var/backups/sluice/now.tar
kill "$server"
wait "$server" || fail "the server exited with $?"
"${as_sluice[@]}" sluice restore --force /var/backups/sluice/now.tar

step "remove and purge"
dpkg --remove sluice >/dev/null 2>&1
[ ! -e /usr/bin/sluice ] && [ -e /etc/sluice/sluice.env ]
dpkg --purge sluice >/dev/null 2>&1
[ ! -e /etc/sluice ] && [ ! -e "$unit" ]
# Purging the package doesn't delete the data.
[ -s /var/lib/sluice/sluice.db ]
step "passed"
INSIDE
