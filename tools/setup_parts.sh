# The parts that set-up is made of, and what each needs. Sourced by bash after setup_lib.sh.
# shellcheck shell=bash

GO_WANTED=1.26
RUST_WANTED=1.85
GCC_WANTED=12
PYTHON_WANTED=3.11
GO_FOLDER=.pausemark/go # on Debian 12, whose archive has no Go 1.26
PYTHON=""

want_all() {
    want_python
    want_c
    want_rust
    want_go
    if without bcc; then SKIPPED+=("(bcc: left out)"); else
        want "eBPF probes, run by the system Python" python3 python3-bpfcc
    fi
    if without docker; then SKIPPED+=("(docker: left out)"); else want_docker; fi
    if without dev; then SKIPPED+=("(dev: left out)"); else
        want "checks of shell and C sources" shellcheck clang-format
        want "the C backend's smoke test" curl
        want "durability tests, which let calls of a backend fail" strace
        want "tests with hosts of their own (network namespaces)" iproute2
    fi
    if without browser || command -v chromium google-chrome >/dev/null; then
        SKIPPED+=("browser")
    else
        want "tests that open the report in a browser" chromium
    fi
}

want_python() {
    local candidate
    for candidate in "$(command -v python3 || true)" /usr/bin/python3; do
        if [ -x "$candidate" ] && at_least "$PYTHON_WANTED" "$(python_version "$candidate")"; then
            PYTHON=$candidate
            break
        fi
    done
    if [ -n "$PYTHON" ] && "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null; then
        SKIPPED+=("python $(python_version "$PYTHON")")
    else
        want "Python with virtual environments" python3 python3-venv
        PYTHON=/usr/bin/python3
    fi
    want "certificates for downloads" ca-certificates
}

python_version() { # program
    "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null || true
}

want_c() {
    local found=""
    ! command -v gcc >/dev/null || found=$(gcc -dumpfullversion)
    if at_least "$GCC_WANTED" "$found" && command -v g++ >/dev/null; then
        SKIPPED+=("gcc $found")
    else
        want "the C and C++ backends, and a linker for Rust" gcc g++ libc6-dev
    fi
    want "builds" make pkg-config
    want "MD5 and SHA-256 of the C and C++ backends" libssl-dev
    want "CRC-32 of the C and C++ backends" zlib1g-dev
    want "Beast, of the C++ backend" libboost-dev
    want "HTTP/2, of the C++ backend" libnghttp2-dev
    if command -v nginx >/dev/null || [ -x /usr/sbin/nginx ]; then
        SKIPPED+=("nginx")
    else
        want "the front of the C backend's variant fastcgi" nginx-light
    fi
    if [ "$RELEASE" = 12 ]; then
        want "llhttp's sources, of the C backend" node-llhttp
    else
        want "llhttp, of the C backend" libllhttp-dev
    fi
}

want_rust() {
    local found="" names=(rustc cargo)
    ! command -v rustc >/dev/null || found=$(version_in "$(rustc --version 2>/dev/null || true)")
    if at_least "$RUST_WANTED" "$found" && command -v cargo >/dev/null; then
        SKIPPED+=("rust $found")
        return 0
    fi
    [ "$RELEASE" != 12 ] || names=(rustc-web cargo-web)
    want "the Rust backend and the load generator (Rust $RUST_WANTED)" "${names[@]}"
    if ! without dev; then
        names=(rust-clippy rustfmt)
        [ "$RELEASE" != 12 ] || names=(rust-web-clippy rustfmt-web)
        want "checks of Rust sources" "${names[@]}"
    fi
}

want_go() {
    local go found=""
    for go in "$(command -v go || true)" "$GO_FOLDER/usr/lib/go-$GO_WANTED/bin/go" \
        "/usr/lib/go-$GO_WANTED/bin/go"; do
        [ -x "$go" ] || continue
        found=$(version_in "$(GOTOOLCHAIN=local "$go" version 2>/dev/null || true)")
        if at_least "$GO_WANTED" "$found"; then
            SKIPPED+=("go $found")
            return 0
        fi
    done
    if [ "$RELEASE" = 12 ]; then
        want "signatures of the Debian archive" debian-archive-keyring
    else
        # shellcheck disable=SC2034 # enable_backports reads it
        NEED_BACKPORTS="Go $GO_WANTED"
        want "the Go backend (Go $GO_WANTED)" "golang-$GO_WANTED-go" "golang-$GO_WANTED-src"
    fi
}

# On Debian 12, Go comes from Debian 13's backports, its signature checked, unpacked in this
# checkout: apt's own settings and package list are left alone.
unpack_go() {
    local apt=.pausemark/apt root=$PWD/$GO_FOLDER line
    line=$(backports_line) || exit
    say "setup: fetching Go $GO_WANTED from trixie-backports into $GO_FOLDER (apt is not changed)"
    rm -rf "$apt" "$root"
    mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$root"
    : >"$apt/status"
    echo "$line" >"$apt/sources.list"
    local options=(
        -o "Dir::Etc::SourceList=$PWD/$apt/sources.list" -o "Dir::Etc::SourceParts=/dev/null"
        -o "Dir::Etc::PreferencesParts=/dev/null" -o "Dir::State::Lists=$PWD/$apt/lists"
        -o "Dir::State::Status=$PWD/$apt/status" -o "Dir::Cache=$PWD/$apt"
        -o "Dir::Cache::Archives=$PWD/$apt/archives" -o "APT::Sandbox::User=root"
    )
    apt-get "${options[@]}" update -qq >&2
    (cd "$apt/archives" && apt-get "${options[@]}" download -qq \
        "golang-$GO_WANTED-go" "golang-$GO_WANTED-src" >&2)
    local package
    for package in "$apt"/archives/*.deb; do
        dpkg-deb -x "$package" "$root"
    done
    rm -rf "$apt"
}

# .pausemark/bin stands before PATH in every make target and in the harness.
link_go() {
    local packaged=/usr/lib/go-$GO_WANTED/bin unpacked=$PWD/$GO_FOLDER/usr/lib/go-$GO_WANTED/bin
    local found="" program
    ! command -v go >/dev/null ||
        found=$(version_in "$(GOTOOLCHAIN=local go version 2>/dev/null || true)")
    if at_least "$GO_WANTED" "$found" && [ ! -e .pausemark/bin/go ]; then
        return 0
    fi
    if [ ! -x "$packaged/go" ]; then
        [ -x "$unpacked/go" ] || unpack_go ||
            fail "Go $GO_WANTED could not be fetched" \
                "install Go $GO_WANTED or newer and put it on PATH, or run with --runtime docker"
        packaged=$unpacked
    fi
    for program in go gofmt; do
        ln -sfn "$packaged/$program" ".pausemark/bin/$program"
    done
    GOTOOLCHAIN=local .pausemark/bin/go version >/dev/null ||
        fail "$packaged/go does not run here" "install Go $GO_WANTED or newer and put it on PATH"
}

want_docker() {
    if ! command -v dockerd >/dev/null && [ ! -x /usr/sbin/dockerd ]; then
        want "containers (--runtime process needs none)" docker.io
        [ "$RELEASE" = 12 ] || want "pulls of the base image" docker-cli
    else
        SKIPPED+=("docker")
    fi
    want "the base image where no registry answers" debootstrap
    if [ "$RELEASE" = 12 ] && [ ! -d /run/systemd/system ]; then
        want "control groups where no systemd runs" cgroupfs-mount
    fi
}

make_venv() {
    local stamp
    stamp=.venv/.pausemark-$(cat requirements.lock <("$PYTHON" --version) | sha256sum | cut -c 1-16)
    if [ -e "$stamp" ]; then
        SKIPPED+=(".venv")
        return 0
    fi
    say "setup: making .venv with $("$PYTHON" --version): every package by the lock's hashes"
    "$PYTHON" -m venv --clear .venv
    .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes \
        -r requirements.lock >&2 ||
        fail "pip could not install requirements.lock" "mend what it says above and run it again"
    link_project
    touch "$stamp"
}

# A path file and a launcher are what an editable install comes to, without a build backend.
link_project() {
    local site
    site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    printf '%s\n' "$PWD" >"$site/pausemark.pth"
    cat >.venv/bin/bench <<LAUNCHER
#!$PWD/.venv/bin/python
"""Starts Pausemark's command line."""
import sys

from harness.cli import main

sys.exit(main())
LAUNCHER
    chmod 755 .venv/bin/bench
}

# Charts in the report are drawn without scripts; with npm here, interaction is added.
fetch_page_scripts() {
    local folder=report_templates stamp
    [ -e "$folder/package-lock.json" ] || return 0
    stamp=$folder/node_modules/.pausemark-$(sha256sum <"$folder/package-lock.json" | cut -c 1-16)
    if [ -e "$stamp" ]; then
        SKIPPED+=("page scripts")
    elif ! command -v npm >/dev/null; then
        SKIPPED+=("(page scripts: no npm; the report reads without them)")
    elif (cd "$folder" && npm ci --silent --ignore-scripts --no-audit --no-fund >&2); then
        touch "$stamp"
    else
        say "warning: setup: npm could not fetch the page scripts; the report reads without them"
    fi
}

# A machine without Docker is no failure: runs take the process runtime then, and say so.
prepare_docker() {
    without docker || PYTHONPATH=. .venv/bin/python tools/prepare_docker.py ||
        say "warning: setup: Docker is not usable here; runs will use --runtime process"
}
