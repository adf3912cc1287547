#!/usr/bin/env bash
# Opens the window on the demo lab; without a display, plays the demo journey headless to its end and says how to see it in a browser.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}

if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
  echo "This builds the desktop application and opens it on the demo lab: routers that live inside the program, no rights needed."
  echo "The first build takes about ten minutes on two cores, later ones seconds. What the system lacks is named next and installed when you agree."
  scripts/install-deps.sh --build --desktop
  make --no-print-directory ui
  # one that was never built takes long: say so as it goes
  cargo build --release --package pilothouse
  exec "$target/release/pilothouse" --demo
fi

echo "No display: this builds the command line program and plays the demo journey headless, on routers that live inside the program."
echo "The first build takes about ten minutes on two cores, later ones seconds."
scripts/install-deps.sh --build
cargo build --release --package cli --package lab
"$target/release/pilotctl" lab scenario degrade --driver sim --headless --auto-approve --expect confirmed
cat <<EOF

To approve by yourself in a browser:
  make ui                                            # builds the pages; needs Node
  export PILOTHOUSE_DATA=/tmp/noc
  $target/release/pilotctl lab up --driver sim       # prints the lab's id
  $target/release/pilotctl serve --lab ID --mode lab --listen 127.0.0.1:0
and open the link that the last command prints.
EOF
