#!/usr/bin/env bash
# Sweeps on a simulated machine of 4 sockets with 24 cores each, for machines that one does not have.
#
#   benches/simulated.sh                      heap, sorted set and map, each with 0, 10 and 100 % writes, three seeds
#   STRUCTURES=heap WRITES=10 SEEDS=1 benches/simulated.sh
#
# It needs the program numasim, which runs a program on a simulated machine and says how long everything would have taken there: in the
# PATH, or named by NUMASIM. Results go to target/simulated/, a file for each point; `nr-benches report --in target/simulated/*.jsonl`
# draws them. What is there already is not measured again.
set -euo pipefail
cd "$(dirname "$0")/.."

numasim="${NUMASIM:-$(command -v numasim || true)}"
if [ -z "$numasim" ]; then
    echo "there is no numasim here (set NUMASIM to its path)" >&2
    exit 2
fi
machine=${MACHINE:-skylake4x24}
threads=${THREADS:-96}
read -ra structures <<<"${STRUCTURES:-heap sorted-set map}"
read -ra writes <<<"${WRITES:-0 10 100}"
read -ra seeds <<<"${SEEDS:-1 2 3}"
read -ra implementations <<<"${IMPLEMENTATIONS:-nr spin-lock distributed-rwlock flat-combining flat-combining-rwlock predecessor-4 dashmap papaya crossbeam-skipset}"

cargo build --release --locked -p nr-benches
# Later builds leave the one alone that is being simulated.
mkdir -p target/simulated
cp target/release/nr-benches target/simulated/nr-benches
list=$(target/simulated/nr-benches list)

# Whether a structure has an implementation.
has() { sed -n "/^$1:/,/^$/p" <<<"$list" | grep -qE "[ ,]$2(,|$)"; }

point() {
    local structure=$1 implementation=$2 threads=$3 writes=$4 seed=$5
    local file="target/simulated/$structure-$implementation-$threads-$writes-$seed.jsonl"
    has "$structure" "$implementation" || return 0
    if grep -qs '"result"' "$file"; then return 0; fi
    # Time counts as soon as all workers are there; with them the main thread.
    "$numasim" --machine "$machine" --seed "$seed" --timeout 300 --timed-from $((threads + 1)) -- target/simulated/nr-benches sweep \
        --preset simulated --structure "$structure" --implementation "$implementation" --threads "$threads" --writes "$writes" \
        --machine "$machine" --simulated-by numasim --repetition "$seed" --out "$file" --fresh 2>/dev/null | sed -n "s/^$implementation  */$structure, $writes % writes, seed $seed: $implementation /p" ||
        echo "$structure, $writes % writes, seed $seed: $implementation has not ended"
}

for seed in "${seeds[@]}"; do
    for structure in "${structures[@]}"; do
        for share in "${writes[@]}"; do
            point "$structure" seq 1 "$share" "$seed"
            for implementation in "${implementations[@]}"; do
                point "$structure" "$implementation" "$threads" "$share" "$seed"
            done
        done
    done
done
