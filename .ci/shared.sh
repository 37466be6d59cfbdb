# Sourced by the scripts beside it that run the tests on other machines and under other tools.
# shellcheck shell=bash

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Everything that computes.
CRATES=()
for name in geometry simd tensor gemm conv pool autograd nn; do
    CRATES+=(-p "stampnet-$name")
done

# need COMMAND PACKAGE...: makes sure of COMMAND, from Debian's packages where root may install them.
need() {
    command -v "$1" >/dev/null && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update && apt-get install -y --no-install-recommends "${@:2}"
    fi
    command -v "$1" >/dev/null && return
    echo "'$1' is missing; install it: on Debian and Ubuntu, apt-get install ${*:2}" >&2
    exit 1
}

# rustup_needs ARGUMENT...: has rustup install what is missing.
rustup_needs() {
    rustup "$@" && return
    echo "this needs rustup and its '$*'" >&2
    exit 1
}

# summarize WHAT COMMAND...: runs COMMAND, which prints what cargo test does, and ends with the sums.
summarize() {
    local what=$1 log status=0
    shift
    log=$(mktemp)
    printf '\n== %s\n' "$*"
    "$@" 2>&1 | tee "$log" || status=$?
    printf '\n%s: ' "$what"
    awk '/^test result:/ { suites++; passed += $4; failed += $6; ignored += $8 }
         END { printf "%d tests passed, %d failed, %d ignored, in %d programs\n", passed, failed, ignored, suites }' "$log"
    grep '^error: .*, to rerun' "$log" || true
    grep -q '^test result: ok' "$log" || status=1
    rm "$log"
    return "$status"
}
