#!/usr/bin/env bash
# gNMI servers that are not ours, on loopback.
#   gnmi.sh WORK start target               google/gnxi gnmi_target: Capabilities, Get, Set; no Subscribe; plaintext
#   gnmi.sh WORK start fake SCRIPT.pb.txt   openconfig fake_server: Subscribe only, always TLS, replays SCRIPT whatever is asked
#   gnmi.sh WORK stop
# Prints address= and, for fake, ca= (certificate to trust). Exit status 77 and one line on stderr: this machine cannot run it.
# The programs are built by go-peers.sh, or found in PILOTHOUSE_PEERS.
set -euo pipefail
WORK=$(realpath -m "${1:?work directory}"); COMMAND=${2:?start or stop}; shift 2
here=$(dirname "$(realpath "$0")")

stop() {
  [ -s "$WORK/gnmi.pid" ] && kill "$(cat "$WORK/gnmi.pid")" 2>/dev/null || true
  rm -f "$WORK/gnmi.pid"
}

free_port() {
  local port
  for _ in $(seq 200); do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  echo "no free port" >&2; exit 1
}

# a CA and a server certificate for 127.0.0.1, for some days
certificates() {
  [ -s "$WORK/server.crt" ] && return
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj '/CN=test CA' -keyout "$WORK/ca.key" -out "$WORK/ca.crt" 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=localhost' -keyout "$WORK/server.key" -out "$WORK/server.csr" 2>/dev/null
  printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n' >"$WORK/server.ext"
  openssl x509 -req -in "$WORK/server.csr" -CA "$WORK/ca.crt" -CAkey "$WORK/ca.key" -CAcreateserial -days 30 -extfile "$WORK/server.ext" \
    -out "$WORK/server.crt" 2>/dev/null
}

start() {
  local kind=${1:?target or fake} bin port
  bin=${PILOTHOUSE_PEERS:-$("$here/go-peers.sh")}
  mkdir -p "$WORK"; stop
  port=$(free_port)
  case $kind in
    target)
      echo '{"openconfig-interfaces:interfaces":{"interface":[{"name":"eth1","config":{"name":"eth1"}}]},"openconfig-system:system":{"config":{"hostname":"r1"}}}' >"$WORK/first.json"
      "$bin/gnmi_target" -bind_address "127.0.0.1:$port" -config "$WORK/first.json" -notls -logtostderr >"$WORK/gnmi.log" 2>&1 </dev/null & ;;
    fake)
      certificates
      "$bin/fake_server" -config "$(realpath "${2:?script}")" -text -port "$port" -server_crt "$WORK/server.crt" -server_key "$WORK/server.key" \
        -allow_no_client_auth -logtostderr >"$WORK/gnmi.log" 2>&1 </dev/null & ;;
    *) echo "gnmi.sh: $kind is neither target nor fake" >&2; exit 2 ;;
  esac
  echo $! >"$WORK/gnmi.pid"
  for _ in $(seq 100); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "address=127.0.0.1:$port"
      [ "$kind" = target ] || echo "ca=$WORK/ca.crt"
      return
    fi
    sleep .05
  done
  cat "$WORK/gnmi.log" >&2; stop; exit 1
}

case $COMMAND in
  start) start "$@" ;;
  stop) stop ;;
  *) echo "gnmi.sh WORK start target|start fake SCRIPT|stop" >&2; exit 2 ;;
esac
