# What set-up is made of: saying things, asking for packages, comparing versions. Sourced by bash.
# shellcheck shell=bash

BACKPORTS_FILE=/etc/apt/sources.list.d/pausemark-backports.list
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
RELEASE=""    # 12, 13, or "" on another system
WANTED=()     # packages to install
REASONS=()    # why, in the same order
SKIPPED=()    # what was there already
NEED_BACKPORTS=""

say() { printf '%s\n' "$*" >&2; }

fail() { # what, hint
    say "error: setup: $1"
    say "hint: $2"
    exit 4
}

without() { # part
    case " ${PAUSEMARK_WITHOUT:-} " in *" $1 "*) return 0 ;; *) return 1 ;; esac
}

read_release() {
    local ID="" VERSION_ID=""
    # shellcheck source=/dev/null
    [ ! -r /etc/os-release ] || . /etc/os-release
    if [ "$ID" = debian ] && { [ "$VERSION_ID" = 12 ] || [ "$VERSION_ID" = 13 ]; }; then
        RELEASE=$VERSION_ID
    fi
    [ "$(uname -m)" = x86_64 ] || say "warning: setup: expected x86_64, got $(uname -m): untested"
}

installed() { # package
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

want() { # reason, packages...
    local reason=$1 package
    shift
    for package in "$@"; do
        if installed "$package"; then
            SKIPPED+=("$package")
        else
            WANTED+=("$package")
            REASONS+=("$reason")
        fi
    done
}

at_least() { # wanted version, found version
    [ -n "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

version_in() { # text: the first number with a dot in it
    grep -oE '[0-9]+\.[0-9]+(\.[0-9]+)?' <<<"$1" | head -n 1
}

install_wanted() {
    local index
    if [ ${#WANTED[@]} -eq 0 ]; then
        return 0
    fi
    say "setup: these packages are missing:"
    for index in "${!WANTED[@]}"; do
        say "  ${WANTED[$index]} - ${REASONS[$index]}"
    done
    [ -n "$RELEASE" ] || fail "expected Debian 12 or 13, got another system" \
        "install the equivalents of the packages above, or use a Debian container"
    local backports="${NEED_BACKPORTS:+, with trixie-backports enabled}"
    local need_root="as root$backports: apt-get install --no-install-recommends ${WANTED[*]}"
    [ "$(id -u)" = 0 ] || fail "expected root to install packages, got user $(id -un)" "$need_root"
    say "setup: installing them now: apt-get update; apt-get install ${WANTED[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    enable_backports
    # The packages' own services are not for us to start: the daemon is started when it is needed.
    apt-get install -y -qq --no-install-recommends "${WANTED[@]}" </dev/null >&2 ||
        fail "apt-get install ended badly" "mend what it says above, then run \`make setup\` again"
    case " ${WANTED[*]} " in *" nginx-light "*) stop_nginx_service ;; esac
}

# The package starts a server on port 80 of every address, which nobody here asked for.
stop_nginx_service() {
    say "setup: stopping the service that came with nginx-light; the backend starts its own nginx"
    if [ -d /run/systemd/system ]; then
        systemctl disable --now nginx >&2 || true
    elif [ -x /etc/init.d/nginx ]; then
        /etc/init.d/nginx stop >&2 || true
    fi
}

# Where this machine's apt takes Debian from, so that a mirror that its owner chose is respected.
# Nothing where there is no apt, or none that was ever updated: labels come from Release files.
debian_archive() {
    # shellcheck disable=SC2016 # apt expands it
    { apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null || true; } |
        sed -n '1s,/*$,,p'
}

backports_line() {
    local archive
    archive=$(debian_archive)
    [ -n "$archive" ] || fail "expected apt to know Debian's archive, got none" \
        "run apt-get update, and see that /etc/apt names Debian"
    echo "deb [signed-by=$KEYRING] $archive trixie-backports main"
}

enable_backports() {
    local line
    if [ -n "$NEED_BACKPORTS" ] && [ ! -e "$BACKPORTS_FILE" ]; then
        line=$(backports_line) || exit
        say "setup: adding $BACKPORTS_FILE (trixie-backports) for $NEED_BACKPORTS;" \
            "nothing else is taken from it"
        echo "$line" >"$BACKPORTS_FILE"
        apt-get update -qq >&2
    fi
}

done_talk() {
    if [ ${#SKIPPED[@]} -gt 0 ]; then
        say "setup: already there: ${SKIPPED[*]}"
    fi
    say "setup: ready (${SECONDS} s)"
}
