#!/usr/bin/env python3
"""Measures what is promised, on this machine, and says which promise is met: `make bench`.

Every line is a figure, its bound, and the ratio to the reference that was measured in the same run. Exit status 1 when a bound is missed: not part of
the tests, because a busy machine misses bounds that a quiet one meets.

  bench.py [--with FOLDER] [NAME ...]   NAME: ingest feeds flaps gnmi replay twin (default: all)
  --with FOLDER   streams (`bmp/from-mrt`) and scenarios (`twin-scale`) [default: ../shared/data, else made-up ones]
"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PILOTCTL = TARGET / "release" / "pilotctl"
THREADS = str(os.cpu_count() or 1)
missed = []


def run(*arguments, env=None):
    """One document of JSON, or the end: what cannot be measured is not called met."""
    print("  pilotctl", *arguments, flush=True)
    done = subprocess.run([PILOTCTL, "--json", *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env)
    if done.returncode:
        sys.exit(f"pilotctl {' '.join(arguments)} ended with {done.returncode}")
    return json.loads(done.stdout)


def at_least(name, figure, bound, unit="", beside=""):
    tell(name, figure, bound, figure >= bound, "≥", unit, beside)


def at_most(name, figure, bound, unit="", beside=""):
    tell(name, figure, bound, figure <= bound, "≤", unit, beside)


def tell(name, figure, bound, met, sign, unit, beside):
    if not met:
        missed.append(name)
    digits = 0 if abs(figure) >= 1000 else 3
    print(f"{'met   ' if met else 'MISSED'}  {name}: {figure:,.{digits}f} {unit}, {sign} {bound:,} {beside}".rstrip(), flush=True)


def ingest(folder):
    streams = folder / "bmp" / "from-mrt"
    r = run("bench", "ingest", *(["--streams", str(streams)] if streams.is_dir() else []))
    ratios = ", ".join(f"{ratio:.2f} × {name}" for name, ratio in r["ratios"].items()) or "no reference: build --package reference"
    at_least("BMP from the socket into the RIB", r["socket_to_rib"]["messages_per_s"], 1_000_000, "messages/s", ratios)
    at_least("BMP from the socket into the RIB", r["socket_to_rib"]["megabytes_per_s"], 150, "MB/s")
    memory = r["memory"]
    at_most("a route with its attributes", memory["first_feed"]["bytes_per_route"], 100, "bytes")
    at_most(f"loading {memory['first_feed']['routes']:,} routes", memory["first_feed"]["load_s"], 3, "s")
    at_most("a route of a second feed of the same", memory["same_feed"]["bytes_per_route"], 30, "bytes")


def feeds(_):
    r = run("bench", "ingest", "--feeds", "8", "--seconds", "1")
    at_most("eight full feeds, pre- and post-policy, tables", r["feeds"]["rss_mb"], 4096, "MB")
    at_most("the same in the engine's picture", r["live_feeds"]["rss_mb"], 4096, "MB")


def flaps(_):
    r = run("bench", "ingest", "--flaps", "10000")
    at_least("flaps handed over", r["sent_per_s"], 9_900, "1/s")
    at_most("messages sent and not taken", r["messages_sent"] - r["messages_taken"], 0)
    at_most("caught up after the last", r["caught_up_s"], 5, "s")
    before, highest, _ = r["rss_mb"]
    at_most("memory that the storm cost", highest - before, 512, "MB")


def gnmi(_):
    r = run("bench", "gnmi")
    for row in r["rows"]:
        at_least(f"leaves into the picture, {row['encoding']}", row["into_picture_per_s"], 500_000, "1/s", f"{row['ratio']:.2f} × prost")
    at_least("targets at once", r["targets"]["targets"], 200)
    at_most("their notifications lost", r["targets"]["lost"], 0)


def replay(_):
    with tempfile.TemporaryDirectory() as data:
        env = os.environ | {"PILOTHOUSE_LAB_BIN": str(PILOTCTL.with_name("pilothouse-lab"))}
        # in a folder that is named they stay
        scenario = lambda name: run("--data", data, "lab", "scenario", name, "--driver", "sim", "--headless", "--auto-approve", env=env)
        captures = [scenario(name)["capture"] for name in ["degrade", "fill"]]
        for row in run("bench", "replay", *captures, env=env):
            beside = f"{row['ratio']:.1f} × reading alone; {row['inputs']} inputs"
            at_least(f"replay of {row['recorded_s']:.0f} s", row["times_real_time"], 100, "× real time", beside)


def twin(folder):
    known = folder / "twin-scale" / "ba_100.json"
    hundred = ["--scenario", str(known)] if known.exists() else ["--routers", "100"]

    def one(name, *arguments):
        r = run("bench", "twin", "--threads", THREADS, *arguments)
        ratios = (r.get("reference") or {}).get("ratios", {})
        figures = {w["name"]: w for w in r["what_ifs"]}
        named = lambda what: f"bgpsim {ratios[what]:.1f} × as long" if what in ratios else ""
        for what, bound in [("slowest_link_down", 10), ("lp200_all_prefixes_one_session", 3)]:
            at_most(f"{name}: {what}", figures[what]["ms"], bound, "ms", named(what))
        highest = max(w["fork_ms"] for w in r["what_ifs"])
        at_most(f"{name}: fork of it", figures["lp200_all_prefixes_one_session"]["fork_ms"], 0.1, "ms", f"highest of all what-ifs {highest:.3f} ms")
        return r, named

    r, named = one("105 × 1000 shared", *hundred, "--prefixes", "1000")
    at_most("105 × 1000 shared: convergence", r["converge_ms"], 20, "ms", named("converge"))
    at_most("105 × 1000 shared: memory", r["peak_mb"], 40, "MB")
    r, named = one("105 × 1000 distinct", *hundred, "--prefixes", "1000", "--distinct")
    at_most("105 × 1000 distinct: convergence", r["converge_ms"], 150, "ms", named("converge"))
    for how in [[], ["--distinct"]]:
        one(f"505 × 100 {'distinct' if how else 'shared'}", "--routers", "500", "--prefixes", "100", *how)
    r = run("bench", "twin", "--table", "1M", "--threads", THREADS)
    at_most("1 M prefixes at four edges: loaded", r["converge_ms"] / 1000, 10, "s")
    at_most("1 M prefixes at four edges: LOCAL_PREF on a session", r["what_ifs"][0]["ms"], 200, "ms")
    at_most("1 M prefixes at four edges: memory", r["peak_mb"], 1024, "MB")


ALL = {f.__name__: f for f in [ingest, feeds, flaps, gnmi, replay, twin]}


def main(arguments):
    folder = ROOT.parent / "shared" / "data"
    if arguments[:1] == ["--with"]:
        folder, arguments = Path(arguments[1]), arguments[2:]
    unknown = [name for name in arguments if name not in ALL]
    if unknown:
        sys.exit(f"not a measurement: {', '.join(unknown)}\n{__doc__}")
    for name in arguments or ALL:
        print(f"{name}", flush=True)
        ALL[name](folder)
    print(f"{len(missed)} missed" + "".join(f"\n  {name}" for name in missed))
    sys.exit(1 if missed else 0)


main(sys.argv[1:])
