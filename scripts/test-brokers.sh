#!/usr/bin/env bash
# The exports against real programs: Kafka (from Maven Central's jars, Java 17), InfluxDB and Prometheus (Debian's packages). What is not
# installed is named and skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(cargo metadata --no-deps --format-version 1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
export PILOTHOUSE_KAFKA=${PILOTHOUSE_KAFKA:-$target/kafka}
tests/peers/kafka.sh "$PILOTHOUSE_KAFKA" install || unset PILOTHOUSE_KAFKA
# the default packages, as `make test` builds them: a selection of its own would have other features and build everything anew
cargo build --bins
cargo test --test brokers -- --include-ignored --show-output --test-threads 1
