#!/usr/bin/env bash
# Fuzzes every decoder, on the stable compiler (libFuzzer, instrumented by rustc's own sanitizer-coverage pass).
#   fuzz.sh build                builds the targets and prints the folder they are in
#   fuzz.sh mutants N [NAME…]    gives each target N inputs, however long that takes
#   fuzz.sh run SECONDS [NAME…]  runs each target that long (default: all), from seeds of our own; a crash leaves its input in fuzz/crashes
# Needs g++ for libFuzzer itself. The seeds are cut from tests/recordings, crates/io/case/tests/vendors and fuzz/seeds; what was found once is kept in fuzz/seeds.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
target=${CARGO_TARGET_DIR:-$root/target}
triple=$(rustc -vV | sed -n 's/^host: //p')
programs=${PILOTHOUSE_FUZZERS:-$target/fuzz/$triple/release}

build() {
  local coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
  # --target keeps the flags away from build scripts
  RUSTFLAGS=$coverage CARGO_TARGET_DIR=$target/fuzz cargo build --quiet --locked --release --manifest-path fuzz/Cargo.toml --target "$triple" >&2
  echo "$programs"
}

names() { sed -n 's/^path = "targets\/\(.*\)\.rs"$/\1/p' fuzz/Cargo.toml; }

# run SECONDS [NAME…], mutants N [NAME…]: the first word says what ends a target
run() {
  local how=$1 much=$2 name failed=0 limit; shift 2
  case $how in run) limit=-max_total_time=$much ;; mutants) limit=-runs=$much ;; esac
  [ $# -gt 0 ] || set -- $(names)
  for name in "$@"; do
    local work; work=$(mktemp -d)
    mkdir -p "$work/corpus" "$root/fuzz/crashes"
    python3 fuzz/seed.py "$name" "$work/corpus"
    # 2 GB and 10 s for one input: more is a fault of ours
    if "$programs/$name" "$work/corpus" "$limit" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="$root/fuzz/crashes/$name-" >"$work/log" 2>&1; then
      echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log") inputs in $(sed -n 's/^Done [0-9]* runs in \([0-9]*\) second.*/\1/p' "$work/log") s, $(ls "$work/corpus" | wc -l) kept"
    else
      failed=1
      echo "$name FAILED; its input is in fuzz/crashes:"
      tail -n 30 "$work/log"
    fi
    rm -rf "$work"
  done
  return $failed
}

case ${1:-} in
  build) build ;;
  # who names the folder has built; else what is fuzzed is the source as it is now
  run|mutants) [ $# -gt 1 ] || set -- run 15; [ -n "${PILOTHOUSE_FUZZERS:-}" ] || build >/dev/null; run "$@" ;;
  *) sed -n '2,7s/^# //p' "$0"; exit 2 ;;
esac
