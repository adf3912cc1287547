#!/usr/bin/env bash
# Installs what building and testing need on Debian 12: says what is missing, installs it as root, and does nothing when all is there.
#   install-deps.sh             compiler, routers and peers for the laboratory and the tests
#   install-deps.sh --desktop   the web view for the window as well
#   install-deps.sh --check     only says what is missing (with --desktop: of both); exit status 1 when something is
set -euo pipefail

# command or file that shows that a package is there, then the package
tools=(
  "cc build-essential" "pkg-config pkg-config" "git git" "curl curl" "python3 python3" "openssl openssl"
  "ip iproute2" "ping iputils-ping" "ps procps"
  "/usr/lib/frr/bgpd frr" "/usr/lib/frr/frr-reload.py frr-pythontools" "bird bird2" "gobgpd gobgpd" "pmacctd pmacct"
  "netconfd netconfd" "/usr/sbin/sshd openssh-server" "ssh openssh-client"
)
desktop=(
  "/usr/lib/x86_64-linux-gnu/pkgconfig/webkit2gtk-4.1.pc libwebkit2gtk-4.1-dev"
  "/usr/lib/x86_64-linux-gnu/pkgconfig/gtk+-3.0.pc libgtk-3-dev"
  "/usr/lib/x86_64-linux-gnu/pkgconfig/librsvg-2.0.pc librsvg2-dev"
  "/usr/lib/x86_64-linux-gnu/pkgconfig/ayatana-appindicator3-0.1.pc libayatana-appindicator3-dev"
  "npm nodejs" "xvfb-run xvfb"
)

check=no
wanted=("${tools[@]}")
for argument in "$@"; do
  case $argument in
    --check) check=yes ;;
    --desktop) wanted+=("${desktop[@]}") ;;
    *) echo "usage: $0 [--check] [--desktop]" >&2; exit 2 ;;
  esac
done

# services of packages (frr, bird, gobgpd) live in sbin, which is not in every user's PATH
PATH=$PATH:/usr/sbin:/sbin
missing=()
for line in "${wanted[@]}"; do
  read -r proof package <<<"$line"
  case $proof in
    /*) [ -e "$proof" ] || missing+=("$package") ;;
    *) command -v "$proof" >/dev/null || missing+=("$package") ;;
  esac
done

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
  else
    echo "run as root: $install" >&2
    exit 1
  fi
fi

if ! command -v cargo >/dev/null; then
  echo "missing: Rust (rustup; the version is in rust-toolchain.toml)" >&2
  exit 1
fi
for component in rustfmt clippy; do
  cargo ${component/rustfmt/fmt} --version >/dev/null 2>&1 || rustup component add $component
done
