#!/usr/bin/env bash
# Installs what building and testing need on Debian 12: says what is missing, installs it as root, and does nothing when all is there.
# Not root: it asks before sudo, and where it may not ask it names the packages and ends.
#   install-deps.sh             compiler, routers and peers for the laboratory and the tests, a browser for the window's tests
#   install-deps.sh --build     only what compiling needs
#   install-deps.sh --desktop   what the window needs as well
#   install-deps.sh --check     only says what is missing; exit status 1 when something is
set -euo pipefail

# command or file that shows that a package is there, then the package
build=("cc build-essential" "pkg-config pkg-config" "git git" "curl curl" "python3 python3")
tests=(
  "openssl openssl" "ip iproute2" "ping iputils-ping" "ps procps"
  "/usr/lib/frr/bgpd frr" "/usr/lib/frr/frr-reload.py frr-pythontools" "bird bird2" "gobgpd gobgpd" "pmacctd pmacct" "softflowd softflowd"
  "stayrtr stayrtr" "/usr/lib/x86_64-linux-gnu/frr/modules/bgpd_rpki.so frr-rpki-rtrlib"
  "netconfd netconfd" "/usr/sbin/sshd openssh-server" "ssh openssh-client"
)
# without these the tests in a browser and on a key store are skipped, nothing else
optional=("bgpdump bgpdump" "chromium chromium" "chromedriver chromium-driver" "dbus-daemon dbus-daemon" "gnome-keyring-daemon gnome-keyring" "secret-tool libsecret-tools")
desktop=(
  "/usr/lib/x86_64-linux-gnu/pkgconfig/webkit2gtk-4.1.pc libwebkit2gtk-4.1-dev"
  "/usr/lib/x86_64-linux-gnu/pkgconfig/gtk+-3.0.pc libgtk-3-dev"
  "/usr/lib/x86_64-linux-gnu/pkgconfig/librsvg-2.0.pc librsvg2-dev"
  "/usr/lib/x86_64-linux-gnu/pkgconfig/ayatana-appindicator3-0.1.pc libayatana-appindicator3-dev"
  "npm nodejs"
)

check=no
wanted=("${build[@]}" "${tests[@]}")
wished=("${optional[@]}")
for argument in "$@"; do
  case $argument in
    --check) check=yes ;;
    --build) wanted=("${build[@]}") wished=() ;;
    --desktop) wanted+=("${desktop[@]}") ;;
    *) echo "usage: $0 [--check] [--build] [--desktop]" >&2; exit 2 ;;
  esac
done

# services of packages (frr, bird, gobgpd) live in sbin, which is not in every user's PATH
PATH=$PATH:/usr/sbin:/sbin
lacking() { # lines of proof and package; prints the packages that are not there
  local line proof package
  for line in "$@"; do
    read -r proof package <<<"$line"
    case $proof in
      /*) [ -e "$proof" ] || echo "$package" ;;
      *) command -v "$proof" >/dev/null || echo "$package" ;;
    esac
  done
}
mapfile -t missing < <(lacking "${wanted[@]}")
mapfile -t missed < <([ ${#wished[@]} = 0 ] || lacking "${wished[@]}")

if [ ${#missing[@]} -gt 0 ]; then
  install="apt-get install -y --no-install-recommends ${missing[*]}"
  echo "missing: ${missing[*]}"
  if [ $check = yes ]; then
    exit 1
  elif [ "$(id -u)" = 0 ]; then
    echo "running: $install"
    export DEBIAN_FRONTEND=noninteractive
    # the routers' own services must not start: the laboratory runs its daemons itself
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
      printf '#!/bin/sh\nexit 101\n' >$policy; chmod 755 $policy
      trap 'rm -f $policy' EXIT
    fi
    apt-get update -qq
    $install
  elif command -v sudo >/dev/null && [ -t 0 ]; then
    read -r -p "install them with sudo? [y/N] " answer
    [ "$answer" = y ] || { echo "run as root: $install" >&2; exit 1; }
    sudo apt-get update -qq
    sudo DEBIAN_FRONTEND=noninteractive $install
  else
    echo "run as root: $install" >&2
    exit 1
  fi
fi

if [ ${#missed[@]} -gt 0 ]; then
  echo "missing, optional: ${missed[*]}"
  if [ $check = no ] && [ "$(id -u)" = 0 ]; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missed[@]}"; } ||
      echo "no ${missed[*]}: the tests that need them are skipped"
  fi
fi

if ! command -v cargo >/dev/null; then
  echo "missing: Rust (rustup; the version is in rust-toolchain.toml)" >&2
  exit 1
fi
for component in rustfmt clippy; do
  cargo ${component/rustfmt/fmt} --version >/dev/null 2>&1 || rustup component add $component
done
