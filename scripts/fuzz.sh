#!/usr/bin/env bash
# Fuzzes every decoder, on the stable compiler (libFuzzer, instrumented by rustc's own sanitizer-coverage pass).
#   fuzz.sh build                builds the targets and prints the folder they are in
#   fuzz.sh run SECONDS [NAME…]  runs each target that long (default: all), from seeds of our own; a crash leaves its input in fuzz/crashes
#   fuzz.sh mutants N [NAME…]    runs them in turns of a minute each, until they took N inputs together
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

# Gives a target inputs for so many seconds; what it learns stays in its folder, how many it took is added to the file beside it.
one() {
  local name=$1 seconds=$2 work=$3 said
  # 2 GB and 10 s for one input: more is a fault of ours
  if ! said=$("$programs/$name" "$work/$name" "-max_total_time=$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
      -artifact_prefix="$root/fuzz/crashes/$name-" 2>&1); then
    printf '%s FAILED; its input is in fuzz/crashes:\n%s\n' "$name" "$(tail -n 30 <<<"$said")"
    return 1
  fi
  sed -n 's/^stat::number_of_executed_units: *//p' <<<"$said" >>"$work/$name.inputs"
}

inputs() { cat "$@" 2>/dev/null | awk '{ n += $1 } END { print n + 0 }'; }

# run SECONDS [NAME…]: one turn. mutants N [NAME…]: turns of equal time for each, until all of them together took so many.
run() {
  local how=$1 much=$2 name seconds=60 turns=0 failed=0 work; shift 2
  [ "$how" = mutants ] || seconds=$much
  [ $# -gt 0 ] || set -- $(names)
  work=$(mktemp -d)
  # shellcheck disable=SC2064 # the folder of now
  trap "rm -rf '$work'" EXIT
  mkdir -p "$root/fuzz/crashes"
  for name in "$@"; do mkdir "$work/$name"; python3 fuzz/seed.py "$name" "$work/$name"; done
  export programs root
  export -f one
  while :; do
    turns=$((turns + 1))
    printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} bash -c 'one {} "$0" "$1"' "$seconds" "$work" || failed=1
    [ "$how" = mutants ] && [ $failed = 0 ] && [ "$(inputs "$work"/*.inputs)" -lt "$much" ] || break
    echo "turn $turns: $(inputs "$work"/*.inputs) of $much inputs"
  done
  for name in "$@"; do
    # shellcheck disable=SC2012 # names of libFuzzer
    echo "$name: $(inputs "$work/$name.inputs") inputs in $((turns * seconds)) s, $(ls "$work/$name" | wc -l) kept"
  done
  [ "$how" = run ] || echo "$(inputs "$work"/*.inputs) inputs in all"
  return $failed
}

case ${1:-} in
  build) build ;;
  # who names the folder has built; else what is fuzzed is the source as it is now
  run|mutants) [ $# -gt 1 ] || set -- run 15; [ -n "${PILOTHOUSE_FUZZERS:-}" ] || build >/dev/null; run "$@" ;;
  *) sed -n '2,7s/^# //p' "$0"; exit 2 ;;
esac
