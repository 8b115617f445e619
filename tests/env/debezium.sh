#!/usr/bin/env bash
# debezium.sh - the jars of Kafka Connect with Debezium's connector for PostgreSQL in
# build/debezium, through Maven; offline once they are there.  Only what compares with
# it needs them (make proof, make bench).
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL
set -euo pipefail
cd "$(dirname "$0")/../.."

[ ! -e build/debezium/.complete ] || exit 0
command -v mvn >/dev/null || {
    echo "debezium.sh: Maven is missing (apt-get install maven)" >&2
    exit 1
}
echo "fetching Debezium 3.3 and Kafka Connect 4.1 through Maven (about 60 MB, once)"
rm -rf build/debezium
mkdir -p build/debezium
get()
{
    mvn -q -B "$@" -f tests/env/debezium.xml dependency:copy-dependencies -DoutputDirectory="$PWD/build/debezium"
}
get -o >/dev/null 2>&1 || get || get || {
    echo "debezium.sh: Maven could not fetch the jars" >&2
    exit 1
}
ls build/debezium/debezium-connector-postgres-*.jar build/debezium/connect-runtime-*.jar >/dev/null
touch build/debezium/.complete
