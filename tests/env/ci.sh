#!/usr/bin/env bash
# ci.sh - lint, check, check SANITIZE=1, and PostgreSQL 16 and 18 in brief; one last line over all.
#
# A part that fails doesn't keep the others from running: whoever reads the
# output wants to know all that is wrong.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL
set -euo pipefail
cd "$(dirname "$0")/../.."

unset SUITE TESTS SANITIZE PGOB_BRIEF
PGOB_TOTALS=$(mktemp)
export PGOB_TOTALS

part()
{
    local title=$1 status=0
    shift
    echo "=== $title"
    "$@" || status=$?
    [ "$status" -ne 130 ] || exit 130
    [ "$status" -eq 0 ] || echo "=== $title: failed"
    # a part that broke before it counted anything has failed all the same
    [ "$status" -eq 0 ] || [ -n "$(tail -n +$((lines + 1)) "$PGOB_TOTALS")" ] || echo "0 1 0" >>"$PGOB_TOTALS"
    lines=$(wc -l <"$PGOB_TOTALS")
}
lines=0

part "lint" tests/env/check.sh lint
part "check" env PG_MAJOR="${PG_MAJOR:-}" tests/env/check.sh
part "check, ASan and UBSan" env SANITIZE=1 tests/env/check.sh
for major in 16 18; do
    part "PostgreSQL $major in brief" env PG_MAJOR=$major PG_CONFIG= PGOB_BRIEF=majors SUITE="pgtap regress e2e" tests/env/check.sh
done

awk '{p += $1; f += $2; s += $3} END {printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 || p == 0}' "$PGOB_TOTALS" &&
    status=0 || status=1
rm -f "$PGOB_TOTALS"
exit "$status"
