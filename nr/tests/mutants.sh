#!/usr/bin/env bash
# Mutants of the core: the code is broken at one place at a time, and some test has to fail. The unit tests have their say first, which
# are built in seconds; then all tests of the crate, for the mutants that are left; then the loom models, for the rest.
# .cargo/mutants.toml says what is mutated, and which mutants are none, and why.
#
#   nr/tests/mutants.sh                            all, about 600: hours
#   nr/tests/mutants.sh nr/src/replica/wait.rs ... those of these files
#
# The exit status is 1 if some are left, and 2 if they could not be tested. CARGO_MUTANTS_JOBS says how many are tested at once (1).
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)

case "${1:-}" in
-h | --help) sed -n '2,/^set -/p' "$root/nr/tests/mutants.sh" | sed '$d; s/^# \{0,1\}//'; exit 0 ;;
-*) echo "$1: files are expected, such as nr/src/replica/wait.rs" >&2; exit 2 ;;
esac
cd "$root"
escaped() { sed 's/[][\.*^$+?(){}|/&~#-]/\\&/g' <<<"$1"; }
chosen=()
for file in "$@"; do
    if [ ! -f "$file" ]; then
        echo "$file: there is no such file (from the root of the repository)" >&2
        exit 2
    fi
    chosen+=(--re "^$(escaped "$file"):")
done
for tool in mutants nextest; do
    if ! cargo "$tool" --version >/dev/null 2>&1; then
        echo "cargo-$tool is missing: cargo install --locked cargo-$tool" >&2
        exit 2
    fi
done

# What it finds is in mutants.out, a line for each mutant.
find_mutants() {
    local status=0
    rm -rf mutants.out
    cargo mutants --colors never "$@" || status=$?
    # 2: some are left; 3: some took too long.
    case $status in
    0 | 2 | 3) ;;
    *) exit 2 ;;
    esac
}
lines() { cat "$@" 2>/dev/null || true; }
count() { lines "$@" | grep -c . || true; }

caught=0
# Has the mutants that `chosen` names judged, by the tests that the arguments say; those that are left are in `left`. One that takes too
# long may do so only here and now.
judge() {
    echo "=== $1"
    find_mutants ${chosen[@]+"${chosen[@]}"} "${@:2}"
    caught=$((caught + $(count mutants.out/caught.txt)))
    unviable=${unviable:-$(count mutants.out/unviable.txt)}
    left=$(lines mutants.out/missed.txt mutants.out/timeout.txt)
    echo "caught: $caught; do not compile: $unviable; left: $(grep -c . <<<"$left" || true)"
    chosen=()
    while IFS= read -r mutant; do
        chosen+=(--re "^$(escaped "$mutant")\$")
    done <<<"$left"
}

judge "unit tests" -- --lib
if [ $((caught + unviable)) -eq 0 ] && [ -z "$left" ]; then
    echo "there is nothing to be mutated: see examine_globs in .cargo/mutants.toml" >&2
    exit 2
fi
if [ -n "$left" ]; then
    judge "all tests"
fi
if [ -n "$left" ]; then
    # They pass without a mutant, or .ci/run would fail.
    RUSTFLAGS="--cfg loom" judge "models" --baseline skip --timeout 1200 --cargo-arg=--release --test-package nr-loom-tests
fi
if [ -n "$left" ]; then
    echo "$left"
    exit 1
fi
