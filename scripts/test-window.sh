#!/usr/bin/env bash
# Drives the real window under Xvfb: the demo journey by mouse and by keyboard, and what a stranger tries. Pictures stay in target/pictures.
# Needs xvfb, webkit2gtk-driver, dbus and imagemagick (Debian).
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
for program in xvfb-run WebKitWebDriver dbus-run-session import; do
  command -v "$program" >/dev/null || { echo "$program is missing: apt-get install xvfb webkit2gtk-driver dbus imagemagick" >&2; exit 1; }
done
# without hardware GL the other renderer draws three times slower
[ -e /dev/dri ] || export WEBKIT_DISABLE_DMABUF_RENDERER=1
export NO_AT_BRIDGE=1
drive() { # pictures, then options of the journey
  local pictures=$1; shift
  xvfb-run -a -s '-screen 0 1280x800x24' dbus-run-session -- \
    node ui/tests/journey.mjs window "$target/debug/pilothouse" "$@" --pictures "$target/pictures/$pictures"
}

data=$(mktemp -d); export PILOTHOUSE_DATA=$data
trap 'rm -rf "$data"' EXIT
echo "demo lab, by mouse"; drive window
rm -rf "${data:?}"/*
echo "demo lab, by keyboard"; drive window-keyboard --keyboard
rm -rf "${data:?}"/*

echo "what a stranger tries"
cargo build --package cli --package lab
pilotctl=$target/debug/pilotctl
xvfb-run -a -s '-screen 0 1280x800x24' dbus-run-session -- \
  node ui/tests/stranger.mjs window "$pilotctl" "$target/debug/pilothouse" --pictures "$target/pictures/window-stranger"
rm -rf "${data:?}"/*

if [ "$(id -u)" != 0 ]; then
  echo "not root: the journey on FRR, BIRD and GoBGP is left out"
  exit
fi
# by keyboard as well: what the window does must not depend on who routes
for way in mouse keyboard; do
  echo "routers in namespaces, by $way: the window finds the engine that runs"
  lab=$("$pilotctl" --json lab up --driver netns | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
  "$pilotctl" serve --lab "$lab" --mode lab --bmp 127.0.0.1:0 &
  engine=$!
  trap 'kill $engine; wait $engine || true; "$pilotctl" lab down "$lab"; rm -rf "$data"' EXIT
  until [ -S "$data/engine.sock" ]; do sleep 0.2; done
  if [ $way = mouse ]; then drive window-netns --attach; else drive window-netns-keyboard --attach --keyboard; fi
  "$pilotctl" audit verify
  kill -INT $engine; wait $engine || true
  "$pilotctl" lab down "$lab"
  trap 'rm -rf "$data"' EXIT
  rm -rf "${data:?}"/*
done
