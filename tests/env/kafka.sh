#!/usr/bin/env bash
# kafka.sh - the broker's jars in build/kafka.
# KAFKA_HOME names an installed Kafka to use in their place.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL
set -euo pipefail

if [ -n "${KAFKA_HOME:-}" ]; then
    ls "$KAFKA_HOME"/libs/kafka_2.13-*.jar >/dev/null 2>&1 || {
        echo "kafka.sh: no libs/kafka_2.13-*.jar below KAFKA_HOME=$KAFKA_HOME" >&2
        exit 1
    }
    exit 0
fi
exec "$(dirname "$0")/maven.sh" kafka pom.xml "Kafka 4.1 (54 MB; or set KAFKA_HOME to an installed one)" \
    'kafka_2.13-*.jar' 'kafka-tools-*.jar'
