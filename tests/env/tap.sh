#!/bin/sh
# tap.sh - runs one test file, whatever kind it is; prove calls it.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL
case $1 in
    */\(none\))
        echo "Bail out! suite ${1%/*} has no tests" >&2
        exit 1
        ;;
    *.pl) exec perl -Itests/lib "$1" ;;
    *.sql) exec perl -Itests/lib tests/env/pgtap.pl "$1" ;;
    *_fuzz) exec perl -Itests/lib tests/env/fuzz.pl "$1" ;;
    *) exec "$1" ;;
esac
