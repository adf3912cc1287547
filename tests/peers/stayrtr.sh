#!/usr/bin/env bash
# An RPKI-to-Router cache that is not ours: StayRTR (Debian: 0.5.1), on loopback.
#   stayrtr.sh WORK start [OPTION…]   serves WORK/vrps.json, which is looked at every second; options go to stayrtr (-protocol 0, -slurm FILE)
#   stayrtr.sh WORK stop
# Prints address=. Exit status 77 and one line on stderr: this machine cannot run it. Debian: apt-get install stayrtr.
set -euo pipefail
WORK=$(realpath -m "${1:?work directory}"); COMMAND=${2:?start or stop}; shift 2

stop() {
  [ -s "$WORK/stayrtr.pid" ] && kill "$(cat "$WORK/stayrtr.pid")" 2>/dev/null || true
  rm -f "$WORK/stayrtr.pid"
}

free_port() {
  local port
  for _ in $(seq 200); do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  echo "no free port" >&2; exit 1
}

start() {
  command -v stayrtr >/dev/null || { echo "skipped: stayrtr is not installed" >&2; exit 77; }
  [ -s "$WORK/vrps.json" ] || { echo "stayrtr.sh: $WORK/vrps.json is missing" >&2; exit 2; }
  stop
  local port metrics; port=$(free_port); metrics=$(free_port)
  stayrtr -bind "127.0.0.1:$port" -metrics.addr "127.0.0.1:$metrics" -cache "$WORK/vrps.json" -checktime=false -refresh 1 \
    -rtr.refresh 5 -rtr.retry 5 -rtr.expire 600 "$@" >"$WORK/stayrtr.log" 2>&1 </dev/null &
  echo $! >"$WORK/stayrtr.pid"
  for _ in $(seq 100); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then echo "address=127.0.0.1:$port"; return; fi
    sleep .05
  done
  cat "$WORK/stayrtr.log" >&2; stop; exit 1
}

case $COMMAND in
  start) start "$@" ;;
  stop) stop ;;
  *) echo "stayrtr.sh WORK start [OPTION…]|stop" >&2; exit 2 ;;
esac
