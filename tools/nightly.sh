#!/usr/bin/env bash
# Measures candidate, pinned baseline and twin in blocks of one run, compares, and makes the site.
#
# Called by `make nightly` (nightly.mk), which sets BASELINE RPS DURATION WARMUP BLOCKS BACKENDS
# FLAGS. Ends as `bench compare --gate` does: 0 good, 1 a regression, 3 cannot tell; the site is
# made in any case. build/nightly/exit-code keeps the code, because make turns it into its own 2.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
BENCH=${BENCH:-.venv/bin/bench}
NIGHT=build/nightly
TREE=$NIGHT/baseline

say() { printf 'nightly: %s\n' "$*" >&2; }

fail() { # status where what hint
    printf 'error: %s: %s\nhint: %s\n' "$2" "$3" "$4" >&2
    exit "$1"
}

remove_tree() {
    git worktree remove --force "$TREE" 2>/dev/null || rm -rf "$TREE"
    git worktree prune
}

check_out_baseline() {
    local commit
    [ -n "${BASELINE:-}" ] ||
        fail 2 BASELINE "expected a commit, got nothing" "make nightly BASELINE=<commit>"
    commit=$(git rev-parse --verify --quiet "$BASELINE^{commit}") ||
        fail 2 BASELINE "expected a commit of this repository, got $BASELINE" \
            "a shallow clone lacks old commits: git fetch --unshallow"
    mkdir -p "$NIGHT"
    remove_tree
    git worktree add --quiet --detach "$TREE" "$commit"
    say "baseline $commit, candidate $(git rev-parse HEAD)$(changed)"
}

changed() { git diff --quiet HEAD -- backends || echo " with uncommitted changes"; }

# A backend that only one side has cannot be compared, and is named.
common_backends() {
    local manifest name
    for manifest in backends/*/backend.toml; do
        name=$(basename "$(dirname "$manifest")")
        if [ -f "$TREE/$manifest" ]; then
            echo "$name"
        else
            say "left out: $name is not in the baseline"
        fi
    done
}

measure() {
    local backends=() arguments=() name
    read -r -a backends <<<"${BACKENDS:-$(common_backends | tr '\n' ' ')}"
    [ "${#backends[@]}" -gt 0 ] ||
        fail 2 BASELINE "expected a backend that both sides have, got none" "choose a later commit"
    for name in "${backends[@]}"; do arguments+=(--backend "$name"); done
    # shellcheck disable=SC2206 # flags are words
    arguments+=(${FLAGS:-})
    "$BENCH" run --baseline "$TREE" --twin --repeat "${BLOCKS:-8}" --rps "${RPS:-5000}" \
        --duration "${DURATION:-60s}" --warmup "${WARMUP:-5s}" "${arguments[@]}"
}

few_blocks() {
    [ "${BLOCKS:-8}" -ge 8 ] || echo "; expected here: a gate needs 8 blocks, this had $BLOCKS"
}

finish() { # status
    echo "$1" >"$NIGHT/exit-code"
    case $1 in
    0) say "no regression" ;;
    1) say "a regression, or a failure: see above" ;;
    3) say "cannot tell (exit 3): the table says why$(few_blocks)" ;;
    *) say "ended with $1" ;;
    esac
    exit "$1"
}

main() {
    local measured=0 compared=0
    trap remove_tree EXIT
    check_out_baseline
    measure || measured=$?
    # 3: some trials are INVALID. They are left out of the comparison, which says how many.
    [ "$measured" = 0 ] || [ "$measured" = 3 ] || finish "$measured"
    "$BENCH" compare newest --gate || compared=$?
    "$BENCH" compare newest --gate --json >"$NIGHT/comparison.json" || true
    "$BENCH" site results/ -o public/
    finish "$compared"
}

main
