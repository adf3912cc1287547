#!/usr/bin/env bash
# Two FRR bgpd that peer with each other over loopback and both send BMP (before and after policy): a sender that is not ours.
#   frr-bmp.sh WORK start BMP_PORT     BMP goes to 127.0.0.1:BMP_PORT; prints a=, b= (their addresses) and bgp_port=
#   frr-bmp.sh WORK vtysh a|b COMMAND
#   frr-bmp.sh WORK stop
# Neither touches the kernel's routes. Exit status 77 and one line on stderr: this machine cannot run it. Debian: apt-get install frr.
set -euo pipefail
WORK=$(realpath -m "${1:?work directory}"); COMMAND=${2:?start, vtysh or stop}; shift 2
BGPD=/usr/lib/frr/bgpd
# two loopback addresses of our own, so that several pairs run side by side; next hops may not lie in 127/8
A=127.77.$((RANDOM % 250)).11; B=${A%.11}.12

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

router() { # side as address peer peer-as next-hop network
  mkdir -p "$WORK/$1"
  cat >"$WORK/$1.conf" <<CONFIG
hostname $1
bgp route-map delay-timer 1
route-map IN permit 10
 set local-preference 120
route-map OUT permit 10
 set ip next-hop $6
router bgp $2
 bgp router-id $3
 no bgp default ipv4-unicast
 no bgp network import-check
 neighbor $4 remote-as $5
 neighbor $4 port $PORT
 neighbor $4 update-source $3
 neighbor $4 disable-connected-check
 neighbor $4 timers 3 9
 neighbor $4 timers connect 1
 bmp targets collector
  bmp connect 127.0.0.1 port $BMP min-retry 200 max-retry 1000
  bmp stats interval 5000
  bmp monitor ipv4 unicast pre-policy
  bmp monitor ipv4 unicast post-policy
 exit
 address-family ipv4 unicast
  network $7
  neighbor $4 activate
  neighbor $4 soft-reconfiguration inbound
  neighbor $4 route-map IN in
  neighbor $4 route-map OUT out
 exit-address-family
CONFIG
  "$BGPD" -Z -n -S -M bmp -l "$3" -p "$PORT" -f "$WORK/$1.conf" -i "$WORK/$1.bgpd.pid" --vty_socket "$WORK/$1" -A 127.0.0.1 -P 0 \
    >"$WORK/$1.log" 2>&1 </dev/null &
  echo $! >"$WORK/$1.pid"
}

start() {
  BMP=${1:?BMP port}
  [ -x $BGPD ] || { echo "skipped: frr is not installed" >&2; exit 77; }
  mkdir -p "$WORK"; stop
  PORT=$(free_port)
  router a 65001 "$A" "$B" 65002 10.99.0.11 198.51.100.0/24
  router b 65002 "$B" "$A" 65001 10.99.0.12 192.0.2.0/24
  for _ in $(seq 100); do
    if vtysh --vty_socket "$WORK/a" -d bgpd -c 'show bgp summary json' 2>/dev/null | grep -q '"state":"Established"'; then
      printf 'a=%s\nb=%s\nbgp_port=%s\n' "$A" "$B" "$PORT"
      return
    fi
    sleep .2
  done
  echo "no session within 20 s, see $WORK/*.log" >&2; stop; exit 1
}

case $COMMAND in
  start) start "$@" ;;
  vtysh) exec vtysh --vty_socket "$WORK/${1:?a or b}" -d bgpd -c "${2:?command}" ;;
  stop) stop ;;
  *) echo "frr-bmp.sh WORK start BMP_PORT|vtysh a|b COMMAND|stop" >&2; exit 2 ;;
esac
