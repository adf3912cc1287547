#!/usr/bin/env bash
# Two gobgpd that peer with each other over loopback and both send BMP (before and after policy): a sender that is not ours.
#   gobgp-bmp.sh WORK start BMP_PORT   BMP goes to 127.0.0.1:BMP_PORT; prints a=, b= (their addresses) and api_a=, api_b=
#   gobgp-bmp.sh WORK stop
# Exit status 77 and one line on stderr: this machine cannot run it. Debian: apt-get install gobgpd.
set -euo pipefail
WORK=$(realpath -m "${1:?work directory}"); COMMAND=${2:?start or stop}; shift 2
A=127.78.$((RANDOM % 250)).21; B=${A%.21}.22

stop() {
  local side pid
  for side in a b; do
    [ -s "$WORK/$side.pid" ] || continue
    pid=$(cat "$WORK/$side.pid"); kill "$pid" 2>/dev/null || true
    for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep .1; done
    rm -f "$WORK/$side.pid"
  done
}

free_port() {
  local port
  for _ in $(seq 200); do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  echo "no free port" >&2; exit 1
}

router() { # side as address peer peer-as api-port next-hop
  cat >"$WORK/$1.toml" <<CONFIG
[global.config]
  as = $2
  router-id = "$3"
  port = $PORT
  local-address-list = ["$3"]
[global.apply-policy.config]
  export-policy-list = ["next-hop"]
[[bmp-servers]]
  [bmp-servers.config]
    address = "127.0.0.1"
    port = $BMP
    route-monitoring-policy = "all"
    statistics-timeout = 15
[[neighbors]]
  [neighbors.config]
    neighbor-address = "$4"
    peer-as = $5
  [neighbors.transport.config]
    remote-port = $PORT
    local-address = "$3"
  [neighbors.ebgp-multihop.config]
    enabled = true
    multihop-ttl = 4
  [neighbors.timers.config]
    connect-retry = 1
    hold-time = 9
    keepalive-interval = 3
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
[[policy-definitions]]
  name = "next-hop"
  [[policy-definitions.statements]]
    [policy-definitions.statements.actions]
      route-disposition = "accept-route"
      [policy-definitions.statements.actions.bgp-actions]
        set-next-hop = "$7"
CONFIG
  gobgpd -f "$WORK/$1.toml" --api-hosts "127.0.0.1:$6" >"$WORK/$1.log" 2>&1 </dev/null &
  echo $! >"$WORK/$1.pid"
}

start() {
  local api_a api_b
  BMP=${1:?BMP port}
  command -v gobgpd >/dev/null || { echo "skipped: gobgpd is not installed" >&2; exit 77; }
  mkdir -p "$WORK"; stop
  PORT=$(free_port); api_a=$(free_port); api_b=$(free_port)
  # a receiver takes next hops in 127/8 for martians and withdraws: the policy sets others
  router a 65011 "$A" "$B" 65012 "$api_a" 10.99.0.21
  router b 65012 "$B" "$A" 65011 "$api_b" 10.99.0.22
  for _ in $(seq 150); do
    if gobgp -u 127.0.0.1 -p "$api_a" neighbor 2>/dev/null | grep -q Establ; then
      gobgp -u 127.0.0.1 -p "$api_a" global rib add 198.51.100.0/24 local-pref 130 med 10 community 65011:1
      gobgp -u 127.0.0.1 -p "$api_b" global rib add 192.0.2.0/24
      printf 'a=%s\nb=%s\napi_a=127.0.0.1:%s\napi_b=127.0.0.1:%s\n' "$A" "$B" "$api_a" "$api_b"
      return
    fi
    sleep .2
  done
  echo "no session within 30 s, see $WORK/*.log" >&2; stop; exit 1
}

case $COMMAND in
  start) start "$@" ;;
  stop) stop ;;
  *) echo "gobgp-bmp.sh WORK start BMP_PORT|stop" >&2; exit 2 ;;
esac
