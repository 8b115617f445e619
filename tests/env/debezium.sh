#!/usr/bin/env bash
# debezium.sh - the jars of Kafka Connect with Debezium's connector for PostgreSQL in
# build/debezium.  Only what compares with it needs them (make proof, make bench).
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL
set -euo pipefail
exec "$(dirname "$0")/maven.sh" debezium debezium.xml "Debezium 3.3 and Kafka Connect 4.1 (about 60 MB)" \
    'debezium-connector-postgres-*.jar' 'connect-runtime-*.jar'
