#!/usr/bin/env bash
# Opens the window; without a display, says so and plays the journey headless to its end.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
  echo "builds and opens the window; the first build takes some minutes"
  scripts/install-deps.sh --desktop
  make --no-print-directory ui
  exec cargo run --release --package pilothouse
fi
echo "no display: plays the journey headless instead (the same engine; the window needs DISPLAY)"
scripts/install-deps.sh
cargo build --release --package cli --package lab
exec target/release/pilotctl lab scenario degrade --driver netns --headless --auto-approve
