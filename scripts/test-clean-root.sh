#!/usr/bin/env bash
# Runs `make run` as a stranger would: in a fresh Debian 12 root, as root and as a plain user, without a display and with one.
#   test-clean-root.sh [MIRROR]
# The host's Rust, Node and registry cache are mounted into it; packages come by apt from MIRROR. Needs root, debootstrap and time: the first
# build in it is a cold one. The root is kept in $PILOTHOUSE_CLEAN_ROOT (default /var/tmp/pilothouse-clean-root) for the next time.
set -euo pipefail
cd "$(dirname "$0")/.."
mirror=${1:-http://deb.debian.org/debian}
root=${PILOTHOUSE_CLEAN_ROOT:-/var/tmp/pilothouse-clean-root}
[ "$(id -u)" = 0 ] || { echo "this needs root" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "debootstrap is missing: apt-get install debootstrap" >&2; exit 1; }

if [ ! -e "$root/etc/debian_version" ]; then
  debootstrap --variant=minbase --include=make,ca-certificates bookworm "$root" "$mirror"
fi
rm -rf "$root/home/stranger/pilothouse"
grep -q '^stranger:' "$root/etc/passwd" || chroot "$root" useradd --create-home --shell /bin/bash stranger
git clone --quiet . "$root/home/stranger/pilothouse"
node=$(dirname "$(realpath "$(command -v node)")")
modules=$(realpath "$(dirname "$(realpath "$(command -v npm)")")/../..")

# a mount namespace of its own: nothing has to be undone
inside() { # user, environment and command
  local user=$1; shift
  unshare --mount --pid --fork --propagation private bash -euo pipefail -c '
    root=$1; user=$2; node=$3; modules=$4; cargo=$5; rustup=$6; shift 6
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mkdir -p "$root/opt/cargo" "$root/opt/rustup" "$root/opt/node/bin" "$root/opt/node/lib/node_modules"
    mount --bind "$cargo" "$root/opt/cargo"
    mount --bind "$rustup" "$root/opt/rustup"
    mount --bind "$node" "$root/opt/node/bin"
    mount --bind "$modules" "$root/opt/node/lib/node_modules"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    chown -R "$user" "$root/home/stranger/pilothouse"
    path=/opt/cargo/bin:/opt/node/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    home=/home/stranger; [ "$user" = root ] && home=/root
    chroot --userspec="$user" "$root" env -i HOME="$home" USER="$user" PATH="$path" CARGO_HOME="$home/.cargo" RUSTUP_HOME=/opt/rustup \
      PILOTHOUSE_DATA="$home/data" TERM=dumb GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0="*" \
      bash -c "mkdir -p $home/.cargo && ln -sfn /opt/cargo/registry $home/.cargo/registry 2>/dev/null; cd /home/stranger/pilothouse && $*"
  ' bash "$root" "$user" "$node" "$modules" "${CARGO_HOME:-$HOME/.cargo}" "${RUSTUP_HOME:-$HOME/.rustup}" "$@"
}

echo "== a plain user, nothing installed: the missing packages are named and nothing is done"
if said=$(inside stranger "make run </dev/null" 2>&1); then
  echo "$said"; echo "make run went on without a compiler" >&2; exit 1
fi
grep -q 'build-essential' <<<"$said" || { echo "$said"; echo "the missing packages are not named" >&2; exit 1; }

echo "== root, no display: installs what is missing and plays the demo to the end"
inside root "make run"

echo "== the same user again, everything there: plays the demo without asking for rights"
inside stranger "make run"

if [ "${1:-}" = --headless ]; then exit; fi
echo "== with a display: the window opens on the demo lab and the journey goes through it"
inside root "apt-get install -y --no-install-recommends xvfb xauth dbus imagemagick webkit2gtk-driver >/dev/null && \
  scripts/install-deps.sh --build --desktop && make ui && cargo build --release --package pilothouse && \
  WEBKIT_DISABLE_DMABUF_RENDERER=1 NO_AT_BRIDGE=1 xvfb-run -a -s '-screen 0 1280x800x24' dbus-run-session -- \
  node ui/tests/journey.mjs window target/release/pilothouse --pictures target/pictures/clean"
