#!/usr/bin/env bash
# Runs every test of the default members and counts them by suite. The last line is `N passed, N failed, N skipped`.
#   test.sh [arguments of cargo test]
# A test that cannot run here (a peer that is not installed, captures that are not at hand) prints a line that begins with "skipped:"
# and counts as skipped. Captures are looked for beside the repository, in ../shared/data.
set -uo pipefail
cd "$(dirname "$0")/.."
# where the time goes; since the beginning of what called this, if it says when that was
since=${STAGES_SINCE:-$EPOCHSECONDS}
stage() { echo "== $((EPOCHSECONDS - since)) s: $1"; }

stage "peers"
# gNMI programs that are not ours; without them their tests are skipped
PILOTHOUSE_PEERS=${PILOTHOUSE_PEERS:-$(tests/peers/go-peers.sh || true)}
[ -z "$PILOTHOUSE_PEERS" ] && unset PILOTHOUSE_PEERS || export PILOTHOUSE_PEERS

stage "pages"
# the pages that the browser's tests look at; without Node or its packages those tests are skipped
if command -v npm >/dev/null && make --no-print-directory ui/node_modules >&2; then
  (cd ui && npm run --silent check) >&2 || { echo "the pages do not fit their types"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
  make --no-print-directory ui >&2 || { echo "the pages do not build"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
fi

stage "release build of the replay"
# a replay must not depend on the optimisation level: the journeys compare with this build
target=$(cargo metadata --no-deps --format-version 1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
cargo build --release --package capture --example replay || { echo "0 passed, 1 failed, 0 skipped"; exit 1; }
export PILOTHOUSE_RELEASE_REPLAY=$target/release/examples/replay

stage "fuzz targets"
# instrumented fuzz targets; without a C++ compiler those tests are skipped
if command -v g++ >/dev/null; then
  PILOTHOUSE_FUZZERS=$(scripts/fuzz.sh build) || { echo "the fuzz targets do not build"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
  export PILOTHOUSE_FUZZERS
fi

log=$(mktemp); second=$(mktemp); third=$(mktemp); trap 'rm -f "$log" "$second" "$third"' EXIT

# Ends what runs longer than TESTS_END_BY (seconds since the beginning) allows; what it was at then is the last it says of itself.
limited() {
  [ -n "${TESTS_END_BY:-}" ] || { "$@"; return; }
  local left=$((TESTS_END_BY - (EPOCHSECONDS - since)))
  timeout --kill-after=30 $((left > 300 ? left : 300)) "$@"
  local ended=$?
  [ $ended != 124 ] || echo "error: ended by the limit of ${TESTS_END_BY} s: $*"
  return $ended
}

# What a cargo test says, without what passed; all of it goes to a file. Line by line as it comes: what hangs is the last that is said.
run() {
  local to=$1; shift
  RUST_BACKTRACE=${RUST_BACKTRACE:-0} limited "$@" -- --show-output 2>&1 | tee "$to" | python3 -uc '
import re, sys
quiet = False
for line in iter(sys.stdin.buffer.readline, b""):
    if line == b"successes:\n":
        quiet = True
    elif re.match(rb"failures:$|test result| +Running| +Doc-tests|error|warning", line):
        quiet = False
    if line.startswith(b"skipped:") or not (quiet or re.match(rb"test .* ok$|running [0-9]+ tests?$|$", line)):
        sys.stdout.buffer.write(line)'
  return "${PIPESTATUS[0]}"
}

if [ $# -gt 0 ]; then
  run "$log" cargo test --no-fail-fast "$@"; status=$?
else
  # Tests on real routers, in the browser and on simulated laboratories wait most of the time: each kind has a lane. The others run beside
  # them, behind them in the queue for the processor.
  routers="journeys losses flows live_bmp live_flow live_gnmi live_pmbmpd live_rtr live_views confirmed_commit adapting_gnmi frr_goldens
    netns features_live rpki_live"
  windows="browser sim_journeys sim face gnmi_cli netconf_face"
  names=$(cargo metadata --no-deps --format-version 1 | LANES="$(echo $routers)/$windows" python3 -c '
import json, os, sys
data = json.load(sys.stdin)
default, lanes = set(data["workspace_default_members"]), [set(lane.split()) for lane in os.environ["LANES"].split("/")]
names = {t["name"] for p in data["packages"] if p["id"] in default for t in p["targets"] if "test" in t["kind"]}
for some in [*(names & lane for lane in lanes), names - set().union(*lanes)]:
    print(*(f"--test {name}" for name in sorted(some)))') || { echo "0 passed, 1 failed, 0 skipped"; exit 1; }
  { read -r routers; read -r windows; read -r others; } <<<"$names"
  stage "test programs"
  cargo test --no-run || { echo "a crate did not build: see above"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
  stage "tests, in three lanes"
  # shellcheck disable=SC2086 # lists of arguments
  { run "$second" nice -n 5 cargo test --no-fail-fast --lib --bins $others; ended=$?; stage "the lane that computes has ended"; exit $ended; } &
  beside=$!
  # shellcheck disable=SC2086
  { run "$third" cargo test --no-fail-fast $windows; ended=$?; stage "the lane of windows has ended"; exit $ended; } & third_lane=$!
  # shellcheck disable=SC2086
  run "$log" cargo test --no-fail-fast $routers; status=$?
  stage "the lane of routers has ended"
  wait $beside || status=1
  wait $third_lane || status=1
  cat "$third" >>"$log"
  cat "$second" >>"$log"
  stage "examples of the documentation"
  run "$second" cargo test --no-fail-fast --doc || status=1
  cat "$second" >>"$log"
fi

python3 - "$log" "$status" <<'PY'
import json, re, subprocess, sys

# A suite is a package. Test files of a name that several have are run behind their package's own.
packages = {}
for p in json.loads(subprocess.check_output(["cargo", "metadata", "--no-deps", "--format-version", "1"]))["packages"]:
    for t in p["targets"]:
        if "test" in t["kind"]:
            packages.setdefault(t["name"], set()).add(p["name"])
# A case that reads captures from outside the repository names them in its reason.
OUTSIDE = re.compile(r"captures|recordings|CORPUS")
suites, skips, suite, current, said = {}, {}, "?", "?", False
for line in open(sys.argv[1], errors="replace"):
    if m := re.match(r"\s+Running (?:unittests )?(\S+) \(.*?/deps/(.+?)-[0-9a-f]{16}\)", line):
        if m[1].startswith("src/lib") or m[1].startswith("src/main"):
            suite = m[2]
        elif len(packages.get(m[2], ())) == 1:
            suite, = packages[m[2]]
        current = m[2]
    elif m := re.match(r"\s+Doc-tests (\S+)", line):
        suite, current = m[1], "documentation"
    elif line.startswith("---- "):
        said = False
    elif line.startswith("skipped:") and not said:
        # once for each test, however many lines it says it on
        said = True
        skips.setdefault((suite, current), []).append(line[len("skipped:"):].strip())
    elif m := re.match(r"test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", line):
        passed, failed, ignored = map(int, m.groups())
        gone = min(len(skips.get((suite, current), [])), passed)
        old = suites.get(suite, (0, 0, 0))
        suites[suite] = (old[0] + passed - gone, old[1] + failed, old[2] + ignored + gone)
reasons = {}
for (suite, _), why in skips.items():
    for reason in why:
        reasons.setdefault((suite, reason), 0)
        reasons[suite, reason] += 1
outside = {}
for (suite, reason), n in reasons.items():
    if OUTSIDE.search(reason):
        outside[suite] = outside.get(suite, 0) + n
print()
print("suite                  passed failed skipped   (of the skipped: for want of captures)")
for name, (passed, failed, skip) in sorted(suites.items()):
    if passed + failed + skip:
        share = 100 * (passed + failed) // (passed + failed + skip)
        print(f"{name:22} {passed:6} {failed:6} {skip:7}   {outside.get(name, 0):3}   {share} % run")
if reasons:
    print("\nnot run:")
for (suite, reason), n in sorted(reasons.items()):
    print(f"  {suite}: {n} × {reason}")
total = [sum(s[i] for s in suites.values()) for i in range(3)]
# a crate that does not compile, or a test process that dies, has no result line of its own
broken = int(sys.argv[2] != "0" and total[1] == 0)
if broken:
    print("a crate did not build or a test process died: see above")
print(f"{total[0]} passed, {total[1] + broken} failed, {total[2]} skipped")
sys.exit(1 if total[1] + broken or not total[0] else 0)
PY
