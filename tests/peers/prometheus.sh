#!/usr/bin/env bash
# A real Prometheus on loopback that asks one target every second.
#   prometheus.sh WORK start TARGET PORT     TARGET is HOST:PORT of /metrics; serves its API on 127.0.0.1:PORT
#   prometheus.sh WORK stop
# Exit status 77 and one line on stderr: it is not installed. Debian: apt-get install --no-install-recommends prometheus.
set -euo pipefail
WORK=$(realpath -m "${1:?work directory}"); COMMAND=${2:?start or stop}; shift 2

stop() {
  [ -s "$WORK/prometheus.pid" ] || return 0
  local pid; pid=$(cat "$WORK/prometheus.pid"); kill "$pid" 2>/dev/null || true
  for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep .1; done
  rm -f "$WORK/prometheus.pid"
}

start() {
  command -v prometheus >/dev/null || { echo "skipped: prometheus is not installed" >&2; exit 77; }
  local target=${1:?target} port=${2:?port}
  mkdir -p "$WORK"; stop
  cat >"$WORK/prometheus.yml" <<CONFIG
global: {scrape_interval: 1s}
scrape_configs: [{job_name: pilothouse, static_configs: [{targets: ["$target"]}]}]
CONFIG
  prometheus --config.file="$WORK/prometheus.yml" --storage.tsdb.path="$WORK/data" --web.listen-address="127.0.0.1:$port" \
    >"$WORK/prometheus.log" 2>&1 </dev/null &
  echo $! >"$WORK/prometheus.pid"
  for _ in $(seq 150); do
    curl -fsS -o /dev/null "http://127.0.0.1:$port/-/ready" 2>/dev/null && return
    sleep .2
  done
  tail "$WORK/prometheus.log" >&2; stop; exit 1
}

case $COMMAND in
  start) start "$@" ;;
  stop) stop ;;
  *) echo "prometheus.sh WORK start TARGET PORT|stop" >&2; exit 2 ;;
esac
