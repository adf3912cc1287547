#!/usr/bin/env bash
# A real InfluxDB (1.6, as Debian has it) on loopback, with the database "noc".
#   influx.sh WORK start PORT     HTTP on 127.0.0.1:PORT, its own RPC on the port behind
#   influx.sh WORK stop
# Exit status 77 and one line on stderr: it is not installed. Debian: apt-get install --no-install-recommends influxdb.
set -euo pipefail
WORK=$(realpath -m "${1:?work directory}"); COMMAND=${2:?start or stop}; shift 2

stop() {
  [ -s "$WORK/influxd.pid" ] || return 0
  local pid; pid=$(cat "$WORK/influxd.pid"); kill "$pid" 2>/dev/null || true
  for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep .1; done
  rm -f "$WORK/influxd.pid"
}

start() {
  command -v influxd >/dev/null || { echo "skipped: influxdb is not installed" >&2; exit 77; }
  local port=${1:?port}
  mkdir -p "$WORK"; stop
  cat >"$WORK/influxdb.conf" <<CONFIG
reporting-disabled = true
bind-address = "127.0.0.1:$((port + 1))"
[meta]
dir = "$WORK/meta"
[data]
dir = "$WORK/data"
wal-dir = "$WORK/wal"
[http]
bind-address = "127.0.0.1:$port"
log-enabled = false
[monitor]
store-enabled = false
CONFIG
  influxd -config "$WORK/influxdb.conf" >"$WORK/influxd.log" 2>&1 </dev/null &
  echo $! >"$WORK/influxd.pid"
  for _ in $(seq 150); do
    if curl -fsS -o /dev/null -XPOST "http://127.0.0.1:$port/query" --data-urlencode 'q=CREATE DATABASE noc' 2>/dev/null; then return; fi
    sleep .2
  done
  tail "$WORK/influxd.log" >&2; stop; exit 1
}

case $COMMAND in
  start) start "$@" ;;
  stop) stop ;;
  *) echo "influx.sh WORK start PORT|stop" >&2; exit 2 ;;
esac
