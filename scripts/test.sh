#!/usr/bin/env bash
# Runs every test of the default members and counts them by suite. The last line is `N passed, N failed, N skipped`.
#   test.sh [arguments of cargo test]
# A test that cannot run here (a peer that is not installed, captures that are not at hand) prints a line that begins with "skipped:"
# and counts as skipped. Captures are looked for beside the repository, in ../shared/data.
set -uo pipefail
cd "$(dirname "$0")/.."
# gNMI programs that are not ours; without them their tests are skipped
PILOTHOUSE_PEERS=${PILOTHOUSE_PEERS:-$(tests/peers/go-peers.sh || true)}
[ -z "$PILOTHOUSE_PEERS" ] && unset PILOTHOUSE_PEERS || export PILOTHOUSE_PEERS

log=$(mktemp); trap 'rm -f "$log"' EXIT

RUST_BACKTRACE=${RUST_BACKTRACE:-0} cargo test --no-fail-fast "$@" -- --show-output 2>&1 | tee "$log" | awk '
  /^successes:$/ { quiet = 1 } /^failures:$|^test result|^ +Running|^ +Doc-tests|^error|^warning/ { quiet = 0 }
  /^skipped:/ || (!quiet && !/^test .* ok$/ && !/^running [0-9]+ tests?$/ && !/^$/)'
status=${PIPESTATUS[0]}

python3 - "$log" "$status" <<'PY'
import re, sys

suites, skipped, current, said = {}, {}, "?", False
for line in open(sys.argv[1], errors="replace"):
    if m := re.match(r"\s+Running (?:unittests )?(\S+) \(.*?/deps/(.+?)-[0-9a-f]{16}\)", line):
        current = m[2] if m[1].startswith("src/") else f"{m[1]}"
    elif m := re.match(r"\s+Doc-tests (\S+)", line):
        current = f"{m[1]} (doc)"
    elif line.startswith("---- "):
        said = False
    elif line.startswith("skipped:") and not said:
        # once for each test, however many lines it says it on
        said = True
        skipped[current] = skipped.get(current, 0) + 1
    elif m := re.match(r"test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", line):
        passed, failed, ignored = map(int, m.groups())
        gone = min(skipped.pop(current, 0), passed)
        old = suites.get(current, (0, 0, 0))
        suites[current] = (old[0] + passed - gone, old[1] + failed, old[2] + ignored + gone)
print()
for name, (passed, failed, skip) in sorted(suites.items()):
    if passed + failed + skip:
        print(f"{name:40} {passed:5} passed {failed:4} failed {skip:4} skipped")
total = [sum(s[i] for s in suites.values()) for i in range(3)]
# a crate that does not compile, or a test process that dies, has no result line of its own
broken = int(sys.argv[2] != "0" and total[1] == 0)
if broken:
    print("a crate did not build or a test process died: see above")
print(f"{total[0]} passed, {total[1] + broken} failed, {total[2]} skipped")
sys.exit(1 if total[1] + broken or not total[0] else 0)
PY
