#!/usr/bin/env bash
# Drives the real window through the demo journey, by mouse and by keyboard, under Xvfb. Pictures stay in target/pictures.
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
for way in "" --keyboard; do
  data=$(mktemp -d)
  PILOTHOUSE_DATA=$data xvfb-run -a -s '-screen 0 1280x800x24' dbus-run-session -- \
    node ui/tests/journey.mjs window "$target/debug/pilothouse" $way --pictures "$target/pictures/window${way#-}"
  rm -rf "$data"
done
