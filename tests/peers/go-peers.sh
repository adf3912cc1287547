#!/usr/bin/env bash
# Builds the gNMI programs that are not ours (gnmi_target, fake_server, gnmi_cli) at the versions of go/go.mod and prints where they are.
# Exit status 77 and one line on stderr: there is no Go here, or its modules cannot be had.
# Environment: PILOTHOUSE_CACHE  where they are kept (default ~/.cache/pilothouse)
set -euo pipefail
here=$(dirname "$(realpath "$0")")
out=${PILOTHOUSE_CACHE:-$HOME/.cache/pilothouse}/peers
stamp=$out/$(sha256sum "$here/go/go.sum" | cut -c1-16).built
if [ ! -e "$stamp" ]; then
  command -v go >/dev/null || { echo "skipped: go is not installed" >&2; exit 77; }
  mkdir -p "$out"
  (cd "$here/go" && GOBIN=$out go install tool) >&2 || { echo "skipped: the Go modules cannot be built" >&2; exit 77; }
  rm -f "$out"/*.built; touch "$stamp"
fi
echo "$out"
