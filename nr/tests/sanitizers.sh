#!/usr/bin/env bash
# Runs the crate's tests under the sanitizers and checkers that this machine has, shows of each that it catches a fault that is planted in a
# copy of the sources, and prints a table.
#
#   nr/tests/sanitizers.sh                    all tools
#   nr/tests/sanitizers.sh address thread     only these
#   nr/tests/sanitizers.sh --list             what there is
#
#   address    AddressSanitizer, with LeakSanitizer: memory used too late, twice, or never given back. A nightly toolchain.
#   thread     ThreadSanitizer: accesses that nothing orders. A nightly toolchain, and setarch. Then small.rs once more with
#              read-modify-writes for fences, in a row of its own, `thread-fences`: see below.
#   memcheck   valgrind's: as address, and memory that was never written. Any toolchain, and valgrind.
#   miri       Miri: all of these, and what only the language forbids. A nightly toolchain with miri and rust-src.
#   aarch64    Compiles for AArch64. That target, installed: rustup target add aarch64-unknown-linux-gnu.
#
# A tool that can't be run here is skipped, with the reason. The exit status is 1 if a tool reports something, or fails to catch its planted fault.
#
#   NR_SANITIZED_TESTS     which tests, by their files' names, instead of each tool's own choice; "all" for all of them
#   NR_NO_PLANTED=1        without planted faults
#   CARGO_TARGET_DIR       where everything is built, in folders of their own (default: target/sanitizers)
#
# What ThreadSanitizer can and can't tell. It follows acquire and release from atomic to atomic; so it sees data that two threads use
# with nothing between, in whichever of the schedules that it meets, and it sees an ordering that is too weak for the data. It does not know
# that stores may be seen late: a missing fence, or a wake-up that is lost, is for the loom models. It takes no notice of fences, nor of
# `fetch_max`; nr/src/sync/real/thread_sanitizer.rs says what it is given instead. For fences that is done in the row `thread-fences` only: a
# read-modify-write is stronger, and can hide a race. What `thread` reports and `thread-fences` does not may be none; what both report is one.
# And it knows of the standard library only if that is built for it, which takes rust-src. Without, threads that meet in a channel, a barrier or
# the end of a scope seem not to: then only small.rs is run, whose threads meet in the structure and are joined, and what the test
# harness does is suppressed.
set -euo pipefail
cd "$(dirname "$0")/../.."

tools=(address thread memcheck miri aarch64)
case "${1:-}" in
-h | --help) sed -n '2,/^set -/p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 0 ;;
--list) printf '%s\n' "${tools[@]}"; exit 0 ;;
esac
chosen=("${@:-${tools[@]}}")
if [ $# = 0 ]; then chosen=("${tools[@]}"); fi
for tool in "${chosen[@]}"; do
    case " ${tools[*]} " in *" $tool "*) ;; *) echo "there is no tool $tool: there are ${tools[*]}" >&2; exit 2 ;; esac
done

root=$PWD
built=${CARGO_TARGET_DIR:-$root/target}/sanitizers
target=$(rustc -vV | sed -n 's/^host: //p')
mkdir -p "$built/logs"
export RUST_BACKTRACE=0 CARGO_TERM_COLOR=never
# A few operations of each kind are enough where it is about memory and not about schedules.
few=${NR_TEST_SCALE:-0.2}
many=${NR_TEST_SCALE:-1}

rows=()
failed=0
columns='%-13s | %-8s | %-38s | %s\n'
# shellcheck disable=SC2059 # the columns are the format
row() { rows+=("$(printf "$columns" "$@")"); }

has_nightly() { rustc +nightly -V >/dev/null 2>&1; }
has_component() { [ -e "$(rustc +nightly --print sysroot)/$1" ]; }
has_source() { has_nightly && has_component lib/rustlib/src/rust/library/std; }

# The tests of these files, as cargo has it.
tests_for() {
    if [ "$1" = all ]; then
        printf -- '--tests'
    else
        # shellcheck disable=SC2086 # several words
        printf -- '--test %s ' $1
    fi
}

# Why the tool can't be used; nothing if it can.
reason() {
    case $1 in
    address) has_nightly || echo "no nightly toolchain" ;;
    thread*) if ! has_nightly; then echo "no nightly toolchain"; elif ! command -v setarch >/dev/null; then echo "no setarch"; fi ;;
    memcheck) command -v valgrind >/dev/null || echo "no valgrind" ;;
    miri)
        if ! cargo +nightly miri --version >/dev/null 2>&1; then echo "no miri"; elif ! has_source; then echo "no rust-src"; fi
        ;;
    aarch64)
        rustup target list --installed 2>/dev/null | grep -q aarch64-unknown-linux-gnu || echo "the target is not installed"
        ;;
    esac
}

# Which tests the tool is used on: with few threads and operations where it makes them slow.
choice() {
    case $1 in
    address) echo small faults operations panics membership batches ;;
    thread) if has_source; then echo small faults batches panics membership linearizability; else echo small; fi ;;
    memcheck) echo small into_inner ;;
    miri | thread-fences) echo small ;;
    esac
}

# Runs tests with the tool. Takes its name, the folder of the sources, and what cargo test is given.
run() {
    local tool=$1 sources=$2
    shift 2
    local test=(test -p node-replicated --target "$target" --target-dir "$built/$tool" --locked --no-fail-fast)
    local cargo=(cargo +nightly "${test[@]}")
    (
        cd "$sources"
        export NR_TEST_SCALE=$few
        case $tool in
        address)
            printf '# Some of the tests of placement leak, on purpose, what has to live for ever.\n%s\n' \
                "leak:^placement::" >"$built/leak-suppressions"
            # A leak is looked for when the process ends.
            RUSTFLAGS="-Zsanitizer=address" ASAN_OPTIONS=detect_leaks=1 \
                LSAN_OPTIONS="suppressions=$built/leak-suppressions:print_suppressions=0" "${cargo[@]}" "$@"
            ;;
        thread*)
            local flags="-Zsanitizer=thread --cfg nr_thread_sanitizer" options="halt_on_error=0 history_size=4"
            if [ "$tool" = thread-fences ]; then flags+='="fences"'; fi
            if has_source; then
                cargo+=(-Zbuild-std)
                # The library's own debug assertions, which are on then, find that iterator out.
                set -- "$@" -- --skip an_iterator_may_lie_about_its_size
            else
                # What is generic and has been compiled with the standard library would be taken from there.
                flags+=" -Cunsafe-allow-abi-mismatch=sanitizer -Zshare-generics=no"
                # The harness's channel for what came of a test, and the place in which it hands a test to its thread.
                printf 'race:%s\n' "test::event::CompletedTest" \
                    "Arc<std::sync::poison::mutex::Mutex<core::option::Option<test::run_test" >"$built/thread-suppressions"
                options+=" suppressions=$built/thread-suppressions"
            fi
            # More of them for a fault that has to be met.
            export NR_TEST_SCALE=$many
            if [ "$sources" != "$root" ]; then NR_TEST_SCALE=20; fi
            # Its shadow memory does not go with all layouts of the address space.
            RUSTFLAGS=$flags TSAN_OPTIONS=$options CARGO_PROFILE_TEST_OPT_LEVEL=1 setarch -R "${cargo[@]}" "$@"
            ;;
        memcheck)
            # Threads of the test harness may be there still, with what belongs to them.
            local valgrind="valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect
                --errors-for-leak-kinds=definite,indirect --fair-sched=yes"
            local runner
            runner="CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$target")_RUNNER"
            env "$runner=${valgrind//$'\n'/}" cargo "${test[@]}" "$@"
            ;;
        miri)
            # Threads sleep, and look at the clock.
            MIRIFLAGS="-Zmiri-disable-isolation" cargo +nightly miri "${test[@]}" "$@"
            ;;
        esac
    )
}

# A copy of the sources with a fault in it: one line of a file is replaced.
plant() {
    local copy=$1 file=$2 line=$3 by=$4
    rm -rf "$copy"
    mkdir -p "$copy"
    tar -c --exclude=./target --exclude=./.git . | tar -x -C "$copy"
    if [ "$(grep -cF -- "$line" "$copy/$file")" != 1 ]; then
        echo "$file has not got one line with \`$line\`"
        return 1
    fi
    # Another version is another package: what is built of one is not taken for the other.
    perl -pi -e 's/^(version = "\d+\.\d+)\.\d+"/$1.999"/' "$copy/Cargo.toml"
    (cd "$copy" && cargo update --workspace --offline --quiet)
    LINE=$line BY=$by perl -pi -e 's/\Q$ENV{LINE}\E/$ENV{BY}/' "$copy/$file"
}

# The faults for a tool, one a line: a name, what the tool says of it (a pattern), the file, a line of it, and what that is replaced by.
faults_for() {
    # Operations are moved out and dropped that a replica has yet to execute.
    local late="nr/src/log/reclaim.rs@for position in start..end {@for position in start..self.completed() {"
    # Operations are not dropped.
    local leak="nr/src/log/reclaim.rs@contain(|| drop(operation));@contain(|| core::mem::forget(operation));"
    # A writer sees no readers.
    local race="nr/src/replica/rwlock.rs@    visits as u32 != 0@    visits as u32 == u32::MAX"
    case $1 in
    address) printf '%s\n' "used too late@heap-use-after-free|double-free@$late" "leaked@detected memory leaks@$leak" ;;
    thread*) printf '%s\n' "a race@data race@$race" ;;
    memcheck) printf '%s\n' "used too late@Invalid (read|free)@$late" "leaked@definitely lost@$leak" ;;
    miri) printf '%s\n' "used too late@Undefined Behavior@$late" "leaked@memory leaked@$leak" ;;
    esac
}

# Whether the tests pass on what is planted, each time. A race takes threads that meet: about every second run has it.
passes() {
    for _ in {1..12}; do
        run "$1" "$built/planted" --test small || return 1
    done
}

# Whether each of a tool's planted faults is caught, in words.
planted() {
    local tool=$1 name says file line by words="" log
    while IFS='@' read -r name says file line by; do
        log="$built/logs/$tool-planted-${name// /-}"
        if ! plant "$built/planted" "$file" "$line" "$by"; then
            words+="$name: CAN'T BE PLANTED; "
        elif passes "$tool" >"$log" 2>&1; then
            words+="$name: NOT CAUGHT; "
        elif grep -qE -- "$says" "$log"; then
            words+="$name: caught; "
        else
            words+="$name: FAILED OTHERWISE ($log); "
        fi
    done < <(faults_for "$tool")
    echo "${words%; }"
}

ways=()
for tool in "${chosen[@]}"; do
    ways+=("$tool")
    if [ "$tool" = thread ]; then ways+=(thread-fences); fi
done

for tool in "${ways[@]}"; do
    why=$(reason "$tool")
    log="$built/logs/$tool"
    if [ -n "$why" ]; then
        row "$tool" "SKIPPED" "-" "$why"
        continue
    fi
    echo "=== $tool" >&2
    if [ "$tool" = aarch64 ]; then
        check=(cargo check -p node-replicated --target aarch64-unknown-linux-gnu --target-dir "$built/aarch64" --locked)
        if "${check[@]}" >"$log" 2>&1 && "${check[@]}" --no-default-features >>"$log" 2>&1; then
            row "$tool" "compiles" "-" "cargo check, with std and without"
        else
            row "$tool" "FAILS" "-" "cargo check, with std and without"
            tail -n 40 "$log"
            failed=1
        fi
        continue
    fi
    tests=${NR_SANITIZED_TESTS:-$(choice "$tool")}
    # shellcheck disable=SC2046 # several words
    if run "$tool" "$root" $(tests_for "$tests") >"$log" 2>&1; then
        result="clean"
    else
        result="FINDINGS"
        failed=1
        grep -nE "^SUMMARY|^==[0-9]+== |^error|panicked|HANG" "$log" | head -n 40 || true
    fi
    passed=$(awk '/^test result:/ { passed += $4 } END { print passed + 0 }' "$log")
    caught="not tried"
    if [ -z "${NR_NO_PLANTED:-}" ]; then
        caught=$(planted "$tool")
        case "$caught" in *"NOT CAUGHT"* | *"CAN'T"* | *OTHERWISE*) failed=1 ;; esac
    fi
    how=""
    if [ "$tool" = thread-fences ]; then how=", with read-modify-writes for fences"; fi
    row "$tool" "$result" "$caught" "$passed tests passed, of $tests$how"
done

# shellcheck disable=SC2059 # as above
printf "$columns" tool result "planted faults" "what was run, or why not"
printf '%s\n' "${rows[@]}"
echo "logs: $built/logs"
exit $failed
