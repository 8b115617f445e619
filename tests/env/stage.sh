#!/usr/bin/env bash
# stage.sh - builds everything, then runs demo, bench or proof where servers can run.
#
#   tests/env/stage.sh demo|bench|proof
#
# demo and bench are tests/demo/run and tests/bench/run; proof is every script of
# tests/proof, one after the other, whose results (build/proof/NAME.json, an array
# each) are put together into build/proof/results.json.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL
set -euo pipefail
cd "$(dirname "$0")/../.."
what=$1

build()
{
    local log
    log=$(mktemp)
    "$@" >"$log" 2>&1 || {
        cat "$log" >&2
        rm -f "$log"
        echo "stage.sh: failed: $*" >&2
        exit 1
    }
    rm -f "$log"
}

case $what in
    demo | bench)
        [ -e "tests/$what/run" ] || {
            echo "make $what: tests/$what/run does not exist" >&2
            exit 1
        }
        ;;
    proof)
        ls tests/proof/*.pl >/dev/null 2>&1 || {
            echo "make proof: there is no tests/proof/*.pl" >&2
            exit 1
        }
        ;;
    *)
        echo "stage.sh demo|bench|proof" >&2
        exit 2
        ;;
esac

[ -x build/bin/outbox-streamer ] || echo "building extension, output plugin and streamer"
build env -u TESTS -u MAKEFLAGS -u MAKELEVEL make -j2 -C src
build env -u TESTS -u MAKEFLAGS -u MAKELEVEL make -C tests/tools
[ ! -e "tests/$what/Makefile" ] || build env -u TESTS -u MAKEFLAGS -u MAKELEVEL make -C "tests/$what"
tests/env/kafka.sh
[ "$what" = demo ] || tests/env/debezium.sh || echo "stage.sh: going on without Debezium" >&2
major=$(tests/env/pg.sh "${PG_MAJOR:-}")
set -a
# shellcheck disable=SC1090
. "build/pg/$major.env"
# shellcheck disable=SC2034
PGOB_BUILD=build
PGOB_COMMIT=$(git rev-parse HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain 2>/dev/null)" ] || PGOB_COMMIT=$PGOB_COMMIT-modified
set +a

case $what in
    demo)
        exec perl tests/env/run.pl -- tests/demo/run
        ;;
    bench)
        mkdir -p build/bench
        exec perl tests/env/run.pl --bring build/bench -- sh -c 'mkdir -p build/bench; exec tests/bench/run'
        ;;
    proof)
        mkdir -p build/proof
        exec perl tests/env/run.pl --bring build/proof -- perl -Itests/lib tests/env/proof.pl
        ;;
esac
