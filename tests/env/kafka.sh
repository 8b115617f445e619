#!/usr/bin/env bash
# kafka.sh - the broker's jars in build/kafka, through Maven; offline once they are there.
# KAFKA_HOME names an installed Kafka to use in their place.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ -n "${KAFKA_HOME:-}" ]; then
    ls "$KAFKA_HOME"/libs/kafka_2.13-*.jar >/dev/null 2>&1 || {
        echo "kafka.sh: no libs/kafka_2.13-*.jar below KAFKA_HOME=$KAFKA_HOME" >&2
        exit 1
    }
    exit 0
fi
[ ! -e build/kafka/.complete ] || exit 0
command -v mvn >/dev/null || {
    echo "kafka.sh: Maven is missing (apt-get install maven), or set KAFKA_HOME to an installed Kafka 4.1" >&2
    exit 1
}
echo "fetching Kafka 4.1 through Maven (54 MB, once)"
rm -rf build/kafka
mkdir -p build/kafka
get()
{
    mvn -q -B "$@" -f tests/env/pom.xml dependency:copy-dependencies -DoutputDirectory="$PWD/build/kafka"
}
get -o >/dev/null 2>&1 || get || get || {
    echo "kafka.sh: Maven could not fetch the jars" >&2
    exit 1
}
ls build/kafka/kafka_2.13-*.jar build/kafka/kafka-tools-*.jar >/dev/null
touch build/kafka/.complete
