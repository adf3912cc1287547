#!/usr/bin/env bash
# A real Kafka broker (KRaft, one node) on loopback, from Maven Central's jars.
#   kafka.sh WORK install           fetches the jars once, with mvn
#   kafka.sh WORK start PORT        broker on 127.0.0.1:PORT, controller on the port behind; an earlier start's data stay
#   kafka.sh WORK kill              SIGKILL, in the middle of whatever it does
#   kafka.sh WORK read PORT TOPIC   every record of a topic, one value a line, by Kafka's own consumer
#   kafka.sh WORK stop
# Exit status 77 and one line on stderr: Java 17 or mvn is not installed.
set -euo pipefail
WORK=$(realpath -m "${1:?work directory}"); COMMAND=${2:?install, start, kill, read or stop}; shift 2
VERSION=3.9.0

kafka() { java -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j.configuration="file:$WORK/log4j.properties" -cp "$WORK/lib/*" "$@"; }

install() {
  command -v java >/dev/null && command -v mvn >/dev/null || { echo "skipped: Java 17 and mvn are not installed" >&2; exit 77; }
  mkdir -p "$WORK"
  [ -d "$WORK/lib" ] && return
  cat >"$WORK/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>pilothouse</groupId><artifactId>kafka-peer</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$VERSION</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$VERSION</version></dependency>
</dependencies></project>
POM
  (cd "$WORK" && mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory=lib -DincludeScope=runtime)
}

stop() { # [signal]
  [ -s "$WORK/kafka.pid" ] || return 0
  local pid; pid=$(cat "$WORK/kafka.pid"); kill "${1:--TERM}" "$pid" 2>/dev/null || true
  for _ in $(seq 200); do kill -0 "$pid" 2>/dev/null || break; sleep .1; done
  rm -f "$WORK/kafka.pid"
}

start() {
  local port=${1:?port}
  [ -d "$WORK/lib" ] || { echo "skipped: kafka.sh WORK install was not run" >&2; exit 77; }
  stop
  cat >"$WORK/log4j.properties" <<LOG
log4j.rootLogger=WARN, c
log4j.appender.c=org.apache.log4j.ConsoleAppender
log4j.appender.c.target=System.err
log4j.appender.c.layout=org.apache.log4j.PatternLayout
log4j.appender.c.layout.ConversionPattern=%p %c %m%n
LOG
  cat >"$WORK/server.properties" <<CONFIG
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
log.dirs=$WORK/data
num.partitions=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
CONFIG
  [ -d "$WORK/data" ] || kafka kafka.tools.StorageTool format -t "$(kafka kafka.tools.StorageTool random-uuid)" -c "$WORK/server.properties" >"$WORK/format.log" 2>&1
  java -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j.configuration="file:$WORK/log4j.properties" -cp "$WORK/lib/*" \
    kafka.Kafka "$WORK/server.properties" >"$WORK/kafka.log" 2>&1 </dev/null &
  echo $! >"$WORK/kafka.pid"
  for _ in $(seq 300); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
    kill -0 "$(cat "$WORK/kafka.pid")" 2>/dev/null || break
    sleep .2
  done
  tail "$WORK/kafka.log" >&2; exit 1
}

case $COMMAND in
  install) install ;;
  start) start "$@" ;;
  kill) stop -KILL ;;
  stop) stop ;;
  read) kafka org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "127.0.0.1:${1:?port}" --topic "${2:?topic}" --from-beginning --timeout-ms 5000 2>/dev/null || true ;;
  *) echo "kafka.sh WORK install|start PORT|kill|read PORT TOPIC|stop" >&2; exit 2 ;;
esac
