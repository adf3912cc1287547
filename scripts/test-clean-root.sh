#!/usr/bin/env bash
# Runs `make run` as a stranger would: in a fresh Debian 12 root, as a plain user and as root, without a display and with one.
#   test-clean-root.sh [--again]       --again: goes on in the root of the last run, with what it installed and built
# The host's Rust and Node are mounted into it, and what cargo and npm have fetched is copied; packages come by apt from
# $PILOTHOUSE_DEBIAN (default http://deb.debian.org/debian). Needs root, debootstrap and half an hour: the builds in it are cold ones.
# The root is made anew in $PILOTHOUSE_CLEAN_ROOT (default /var/tmp/pilothouse-clean-root) and stays there to be looked at.
set -euo pipefail
cd "$(dirname "$0")/.."
root=${PILOTHOUSE_CLEAN_ROOT:-/var/tmp/pilothouse-clean-root}
[ "$(id -u)" = 0 ] || { echo "this needs root" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "debootstrap is missing: apt-get install debootstrap" >&2; exit 1; }

# the base alone is kept from one run to the next: it is the same every time
base=$root.base
if [ ! -e "$base/made" ]; then
  rm -rf "$base"
  debootstrap --variant=minbase --include=make,ca-certificates,git bookworm "$base" "${PILOTHOUSE_DEBIAN:-http://deb.debian.org/debian}"
  touch "$base/made"
fi
again=no; [ "${1:-}" != --again ] || again=yes
if [ $again = no ]; then rm -rf "$root"; cp -a "$base" "$root"; fi
grep -q ^stranger: "$root/etc/passwd" || chroot "$root" useradd --create-home --home-dir /srv/stranger --shell /bin/bash stranger
if [ $again = no ]; then
  git clone --quiet . "$root/srv/stranger/pilothouse"
else
  git -c safe.directory="*" -C "$root/srv/stranger/pilothouse" pull --quiet "$PWD" HEAD
fi
mkdir -p "$root/srv/stranger/.cargo/registry" "$root/srv/stranger/.npm" "$root"/opt/{cargo,rustup,npm}
cargo=${CARGO_HOME:-$HOME/.cargo}
for part in cache index; do [ ! -d "$cargo/registry/$part" ] || cp -a "$cargo/registry/$part" "$root/srv/stranger/.cargo/registry/"; done
fetched=$(npm config get cache)
[ ! -d "$fetched/_cacache" ] || cp -a "$fetched/_cacache" "$root/srv/stranger/.npm/"
cp /etc/resolv.conf "$root/etc/resolv.conf"
# a host behind an intercepting proxy has its certificate there
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
touch "$root/usr/local/bin/node"
ln -sf /opt/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
node=$(realpath "$(command -v node)")
npm=$(dirname "$(dirname "$(realpath "$(command -v npm)")")")

# In namespaces of its own: nothing has to be undone, and whatever was started in it ends with it. (`exit` keeps the shell in between: an X
# server never tells process 1 that it is ready.)
inside() { # user, command
  local user=$1; shift
  chroot "$root" chown -R --no-dereference "$user:" /srv/stranger
  unshare --mount --pid --fork --propagation private bash -euo pipefail -c '
    root=$1; user=$2; shift 2
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount --bind "$1" "$root/opt/cargo"; mount --bind "$2" "$root/opt/rustup"; mount --bind "$3" "$root/opt/npm"
    mount --bind "$4" "$root/usr/local/bin/node"; shift 4
    exec chroot --userspec="$user:$user" "$root" env -i HOME=/srv/stranger USER="$user" TERM=dumb CARGO_HOME=/srv/stranger/.cargo \
      RUSTUP_HOME=/opt/rustup RUSTUP_TOOLCHAIN="$1" PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/cargo/bin \
      NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt bash -euo pipefail -c "cd /srv/stranger/pilothouse; $2; exit"
  ' bash "$root" "$user" "$cargo" "${RUSTUP_HOME:-$HOME/.rustup}" "$npm" "$node" \
    "$(sed -n 's/^channel *= *"\(.*\)"/\1/p' rust-toolchain.toml)" "$*"
}

failed() { echo "FAILED: $1" >&2; exit 1; }

if [ $again = no ]; then
echo "== a plain user, nothing installed: the missing packages are named, nothing is done"
said=$(inside stranger 'make run </dev/null' 2>&1) && { echo "$said"; failed "make run went on without a compiler"; }
echo "$said"
for package in build-essential pkg-config; do grep -q "missing:.*$package" <<<"$said" || failed "$package is not named"; done
fi

echo "== root, no display: installs what is missing, plays the demo to the end, says how to see it in a browser"
inside root 'make run' 2>&1 | tee "$root/tmp/headless.log" | grep --line-buffered -v Compiling
grep -q confirmed "$root/tmp/headless.log" || failed "the demo was not confirmed"
grep -q 'pilotctl serve\|serve --lab' "$root/tmp/headless.log" || failed "the way to the browser is not told"

echo "== a plain user, everything there: plays the demo and asks for no rights"
inside stranger 'make run' 2>&1 | tee "$root/tmp/headless-user.log" | grep --line-buffered -v Compiling
grep -q confirmed "$root/tmp/headless-user.log" || failed "the demo was not confirmed"

# a window is there when the X server lists it; the lab behind it answers on the engine's socket; then the window is closed
# shellcheck disable=SC2016
window='
  data=$HOME/.local/share/pilothouse/demo
  # another engine of before has left its socket
  rm -rf "$data"
  make run & run=$!
  for _ in $(seq 3600); do
    kill -0 $run 2>/dev/null || { echo "make run ended without a window"; exit 1; }
    if xwininfo -root -tree | grep -q "\"Pilothouse" && [ -S "$data/engine.sock" ]; then break; fi
    sleep 1
  done
  state=
  for _ in $(seq 60); do
    state=$(curl -s --unix-socket "$data/engine.sock" http://engine/rpc/status -d null || true)
    case $state in *\"synced\"*) break ;; esac
    sleep 1
  done
  sleep 5
  import -window root "$HOME/window.png"
  # the renderer is chosen by a second start of the same program: the last one is the window
  kill "$(pgrep -n -x pilothouse)"; wait $run || true
  case $state in *\"synced\"*\"mode\":\"LAB\"*) echo "the window is open, the lab is in it" ;; *) echo "no lab: $state"; exit 1 ;; esac
'
echo "$window" >"$root/tmp/window.sh"
if [ $again = no ]; then
echo "== a display, a plain user, nothing of the desktop installed: the missing packages are named"
said=$(inside stranger 'DISPLAY=:99 make run </dev/null' 2>&1) && { echo "$said"; failed "make run went on without WebKitGTK"; }
grep -q 'missing:.*libwebkit2gtk-4.1-dev' <<<"$said" || { echo "$said"; failed "WebKitGTK is not named"; }
fi
for user in root stranger; do
  echo "== a display, $user: the window opens on the demo lab"
  if [ $user = root ]; then
    inside root 'apt-get install -y --no-install-recommends xvfb xauth x11-utils dbus imagemagick procps curl >/dev/null'
  fi
  inside $user "NO_AT_BRIDGE=1 xvfb-run -a -s '-screen 0 1280x800x24' dbus-run-session -- bash /tmp/window.sh" 2>&1 | grep --line-buffered -v Compiling
  echo "picture: $root/srv/stranger/window.png"; mv "$root/srv/stranger/window.png" "$root/tmp/window-$user.png"
done
echo "make run works as described"
