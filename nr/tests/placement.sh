#!/usr/bin/env bash
# Runs the tests of placement (placement.rs) on virtual machines of many NUMA shapes, and prints a table of shapes and checks.
#
#   nr/tests/placement.sh            all shapes
#   nr/tests/placement.sh 2x2 4x2    only these
#
# It needs the program numa-vm, which boots a Linux guest with the nodes that it is told and runs a command there: in the PATH, or named
# by NR_NUMA_VM. Without it, or where it can't start a machine, it says so and does nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."

# Name, flags, and the topology that is to be found there (`;` for a new line, `!` for a semicolon within one). With a name that ends in
# `-mems`, the process may use the memory of nodes 0 and 2 only.
shapes=(
"1x2|--nodes 1 --cpus 2 --mem 1G|node 0: cpus 0-1"
"2x2|--nodes 2 --cpus 4 --mem 2G|node 0: cpus 0-1;node 1: cpus 2-3;distances: 10 20 / 20 10"
"4x2|--nodes 4 --cpus 8 --mem 4G|node 0: cpus 0-1;node 1: cpus 2-3;node 2: cpus 4-5;node 3: cpus 6-7"
"8x1|--nodes 8 --cpus 8 --mem 4G|node 0: cpus 0;node 1: cpus 1;node 2: cpus 2;node 3: cpus 3;node 4: cpus 4;node 5: cpus 5;node 6: cpus 6;node 7: cpus 7"
"memory-only|--cpus 2,2,0 --mem 1G,1G,512M --distances 10,21,17;21,10,28;17,28,10|node 0: cpus 0-1;node 1: cpus 2-3;node 2: cpus;distances: 10 21 17 / 21 10 28 / 17 28 10"
"memory-between|--cpus 2,0,2 --mem 512M,768M,512M|node 0: cpus 0-1;node 1: cpus;node 2: cpus 2-3"
"cpu-only|--cpus 2,2,2 --mem 1G,0,1G|node 0: cpus 0-1;node 1: cpus 2-3! memory 0;node 2: cpus 4-5"
"two-caches|--nodes 2 --cpus 8 --llc-per-node 2 --mem 2G|node 0: cpus 0-3! caches 0-1 | 2-3;node 1: cpus 4-7! caches 4-5 | 6-7"
"threads|--nodes 2 --cpus 8 --threads 2 --mem 2G|node 0: cpus 0-3! cores 0-1 | 2-3;node 1: cpus 4-7! cores 4-5 | 6-7"
"sparse|--node-ids 0,2,5 --cpus 6 --mem 3G --distances 10,21,31;21,10,21;31,21,10|node 0: cpus 0-1;node 2: cpus 2-3;node 5: cpus 4-5;distances: 10 21 31 / 21 10 21 / 31 21 10"
"no-mems|--nodes 3 --cpus 6 --mem 3G --distances 10,20,30;20,10,20;30,20,10|node 0: cpus 0-1;node 1: cpus 2-3;node 2: cpus 4-5;usable memory: 0,2"
"offline|--nodes 2 --cpus 8 --mem 2G --offline-cpus 1,6|node 0: cpus 0,2-3;node 1: cpus 4-5,7"
)

numa_vm="${NR_NUMA_VM:-$(command -v numa-vm || true)}"
if [ -z "$numa_vm" ]; then
    echo "placement on virtual machines: SKIPPED, as there is no numa-vm here (set NR_NUMA_VM to its path)"
    exit 0
fi
# With hwloc there is one check more.
features=()
if command -v pkg-config >/dev/null && pkg-config --exists 'hwloc >= 2'; then features=(--features hwloc); fi
build=(cargo test -p node-replicated --test placement "${features[@]}" --no-run --locked)
"${build[@]}"
program=$("${build[@]}" 2>&1 | sed -n 's/.*Executable.*(\(.*\))/\1/p')
checks=$("$program" --list 2>/dev/null | sed -n 's/: test$//p')

chosen=" ${*:-all} "
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0
printf '%-15s' shape
for check in $checks; do printf ' | %s' "$check"; done
echo
for shape in "${shapes[@]}"; do
    IFS='|' read -r name flags _ <<<"$shape"
    case "$chosen" in *" all "* | *" $name "*) ;; *) continue ;; esac
    # What is left may have the separator in it.
    expected=${shape#"$name|$flags|"}
    read -ra arguments <<<"$flags"
    # The kernel's balancing would move pages to the threads that read them.
    prepare='if [ -w /proc/sys/kernel/numa_balancing ]; then echo 0 >/proc/sys/kernel/numa_balancing; fi; '
    case "$name" in
    *-mems) prepare+='mkdir -p /tmp/groups && mount -t cgroup2 none /tmp/groups && echo +cpuset >/tmp/groups/cgroup.subtree_control &&
        mkdir /tmp/groups/test && echo 0,2 >/tmp/groups/test/cpuset.mems && echo $$ >/tmp/groups/test/cgroup.procs || exit 1; ' ;;
    esac
    # Each check in a process of its own: what an earlier one has freed would be used again, whichever node it is on.
    "$numa_vm" "${arguments[@]}" --timeout 300 -- \
        env "NR_EXPECTED_TOPOLOGY=$expected" RUST_BACKTRACE=0 \
        sh -c "$prepare"'program=$1; shift; for check; do "$program" --exact "$check"; done' sh "$program" $checks >"$log" 2>&1 &&
        status=0 || status=$?
    if [ "$status" = 125 ]; then
        printf '%-15s | SKIPPED: no virtual machine can be started here: %s\n' "$name" "$(tail -n 1 "$log")"
        continue
    fi
    printf '%-15s' "$name"
    for check in $checks; do
        if grep -q "^test $check \.\.\. ok" "$log"; then
            printf ' | ok'
        else
            printf ' | FAILED'
            failed=1
        fi
    done
    echo
    if grep -q FAILED "$log" || ! grep -q "^test result: ok" "$log"; then
        failed=1
        grep -vE "^(running|test result|$)" "$log" | sed 's/^/    /' | tail -60
    fi
done
exit $failed
