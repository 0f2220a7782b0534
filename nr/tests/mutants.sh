#!/usr/bin/env bash
# Mutants of the core: the code is broken at one place at a time, and some test has to fail. The unit tests have their say first, which
# are built in seconds; then all tests of the crate, for the mutants that are left. The exit status is 1 if some are left then.
# .cargo/mutants.toml says what is mutated, and which mutants are none, and why.
#
#   nr/tests/mutants.sh                            # all, about 600: hours
#   nr/tests/mutants.sh -f nr/src/replica/wait.rs  # those of a file; or other options of cargo mutants, as --shard 0/20
set -euo pipefail
cd "$(dirname "$0")/../.."

case "${1:-}" in
-h | --help) sed -n '2,/^set -/p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 0 ;;
esac
for tool in mutants nextest; do
    if ! cargo "$tool" --version >/dev/null 2>&1; then
        echo "cargo-$tool is missing: cargo install --locked cargo-$tool" >&2
        exit 1
    fi
done

# What it finds is in mutants.out, where --iterate finds it again.
find_mutants() {
    local status=0
    cargo mutants --colors never "$@" || status=$?
    # 2: some are left; 3: some take for ever.
    [ $status = 0 ] || [ $status = 2 ] || [ $status = 3 ]
}

count() { cat "$@" 2>/dev/null | wc -l; }

rm -rf mutants.out mutants.out.old
echo "=== unit tests"
find_mutants "$@" -- --lib
caught=$(count mutants.out/{caught,timeout}.txt)
unviable=$(count mutants.out/unviable.txt)
left=$(count mutants.out/missed.txt)
echo "$caught caught, $unviable do not compile, $left are left"
if [ "$left" != 0 ]; then
    echo "=== all tests"
    find_mutants --iterate "$@"
    caught=$((caught + $(count mutants.out/{caught,timeout}.txt)))
    left=$(count mutants.out/missed.txt)
    echo "$caught caught, $unviable do not compile, $left are left"
fi
cat mutants.out/missed.txt
[ "$left" = 0 ]
