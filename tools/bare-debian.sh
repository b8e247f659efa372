#!/usr/bin/env bash
# Proves set-up, build and a short run in a bare Debian 13 tree: debootstrap, git and make only.
#
# The tree has this machine's kernel and network but nothing else of it, and neither Docker nor BPF:
# PAUSEMARK_WITHOUT leaves those parts out. Usage: bare-debian.sh [TREE]; a given TREE is kept.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/setup_lib.sh
source tools/setup_lib.sh # debian_archive

CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt
keep=${1:-}
tree=${keep:-$(mktemp -d /tmp/pausemark-bare-XXXXXX)}

say() { printf 'bare-debian: %s\n' "$*" >&2; }

clean_up() {
    local mount
    for mount in sys dev/pts dev proc; do
        ! mountpoint -q "$tree/$mount" || umount "$tree/$mount"
    done
    # --one-file-system: if something is still mounted, nothing of this machine is removed.
    [ -n "$keep" ] || rm -rf --one-file-system "$tree"
}
trap clean_up EXIT

[ "$(id -u)" = 0 ] || { say "expected root, got $(id -un)"; exit 4; }
command -v debootstrap >/dev/null || { say "debootstrap is missing: run make setup"; exit 4; }

if [ ! -e "$tree/etc/debian_version" ]; then
    say "making $tree"
    archive=$(debian_archive)
    # debootstrap speaks http; for what it cannot (mirror+file:) it has a default of its own.
    [[ $archive == http* ]] || archive=
    debootstrap --variant=minbase trixie "$tree" ${archive:+"$archive"} >"$tree.log" 2>&1 ||
        { tail -5 "$tree.log" >&2; exit 1; }
    rm -f "$tree.log"
fi
cp -L /etc/resolv.conf "$tree/etc/resolv.conf"
# A network may have a certificate of its own; the tree must trust what this machine trusts.
mkdir -p "$tree/etc/ssl/certs" "$tree/usr/local/share/ca-certificates"
mount -t proc proc "$tree/proc"
mount -t sysfs -o ro sysfs "$tree/sys"
mount --bind /dev "$tree/dev"
mount -t devpts devpts "$tree/dev/pts"

inside() {
    env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        LANG=C.UTF-8 SSL_CERT_FILE="$CA_BUNDLE" PIP_CERT="$CA_BUNDLE" \
        PAUSEMARK_WITHOUT="docker bcc browser dev" chroot "$tree" "$@"
}

say "git and make, as README asks for"
inside apt-get update -qq
inside env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    git make ca-certificates >"$tree/apt.log" 2>&1 || { tail "$tree/apt.log" >&2; exit 1; }
cp "$CA_BUNDLE" "$tree$CA_BUNDLE"

say "a clone of this checkout's HEAD"
rm -rf --one-file-system "$tree/srv/pausemark"
git clone -q --no-hardlinks . "$tree/srv/pausemark"

say "make setup, twice"
inside make -C /srv/pausemark setup
inside make -C /srv/pausemark setup
say "make build"
inside make -C /srv/pausemark build
say "a short run as plain processes, without probes"
inside bash -c 'cd /srv/pausemark && .venv/bin/bench run --rps 500 --duration 5s --warmup 1s \
    --runtime process --probes off --no-calibrate' || {
    status=$?
    # 3: measured, but the machine was too busy for a valid figure; that is no fault of the tree.
    [ "$status" = 3 ] || exit "$status"
}
say "good"
