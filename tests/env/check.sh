#!/usr/bin/env bash
# check.sh - builds what tests need and runs them; the last line counts all suites.
#
#   tests/env/check.sh              the suites of SUITE, or all
#   tests/env/check.sh lint         lint alone
#
# Environment: SUITE, TESTS, SANITIZE=1, PG_MAJOR, PG_CONFIG, SEED; PGOB_BRIEF as
# tests/env/prove.pl says; PGOB_TOTALS names a file that gets the counts in place
# of the last line (tests/env/ci.sh adds several runs up).
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL
set -euo pipefail
cd "$(dirname "$0")/../.."

suites=${SUITE:-unit fuzz pgtap regress e2e mutants}
if [ -z "${SUITE:-}" ] && [ -d tests/scenarios ]; then
    suites="$suites scenarios"
fi
[ "${1:-}" != lint ] || suites=lint
if [ -n "${SANITIZE:-}" ] && [ -z "${SUITE:-}" ]; then
    # the C programs only, and one short way through all of it
    suites="unit e2e"
    export PGOB_BRIEF=${PGOB_BRIEF:-sanitize}
fi
suites=${suites//,/ }

quiet()
{
    # output only of what fails
    local log
    log=$(mktemp)
    "$@" >"$log" 2>&1 || {
        cat "$log" >&2
        rm -f "$log"
        echo "check.sh: failed: $*" >&2
        exit 1
    }
    rm -f "$log"
}

needs()
{
    local suite
    for suite in $suites; do
        case " $* " in *" $suite "*) return 0 ;; esac
    done
    return 1
}

# --- build; TESTS names tests here, but means other things in makefiles
mkdir -p build
make_in()
{
    quiet env -u TESTS -u MAKEFLAGS -u MAKELEVEL nice make -j2 -C "$@"
}
if needs e2e scenarios mutants lint; then
    make_in src SANITIZE="${SANITIZE:-}"
fi
if needs unit; then
    make_in tests/unit SANITIZE="${SANITIZE:-}"
fi
if needs fuzz; then
    make_in tests/fuzz
fi
if needs e2e scenarios mutants; then
    make_in tests/tools
    tests/env/kafka.sh
fi
if needs pgtap regress e2e scenarios mutants; then
    major=$(tests/env/pg.sh "${PG_MAJOR:-}")
    set -a
    # shellcheck disable=SC1090
    . "build/pg/$major.env"
    set +a
fi

# --- run
PGOB_BUILD=build
if [ -n "${SANITIZE:-}" ]; then
    PGOB_BUILD=build/sanitize
    export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:halt_on_error=1}
    export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
fi
export PGOB_BUILD

status=0
if [ "$suites" = lint ]; then
    # needs the checkout as it is, and no server
    PGOB_COUNTS=$(mktemp)
    export PGOB_COUNTS
    perl tests/env/prove.pl lint || status=$?
else
    # several runs may be under way in one checkout
    counts=build/check/counts-$$
    export PGOB_COUNTS=$counts/all
    mkdir -p "$counts"
    # shellcheck disable=SC2086
    perl tests/env/run.pl --bring "$counts" --bring build/check/fuzz -- perl tests/env/prove.pl $suites || status=$?
fi
[ "$status" -ne 130 ] || exit 130

# --- count
read -r passed failed skipped <<END
$(awk '{p += $1; f += $2; s += $3} END {print p + 0, f + 0, s + 0}' "$PGOB_COUNTS" 2>/dev/null || echo 0 1 0)
END
rm -rf "${PGOB_COUNTS%/all}"
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
    failed=1
fi
if [ "$passed" -eq 0 ] && [ "$failed" -eq 0 ]; then
    failed=1
fi
if [ -n "${PGOB_TOTALS:-}" ]; then
    echo "$passed $failed $skipped" >>"$PGOB_TOTALS"
else
    echo "$passed passed, $failed failed, $skipped skipped"
fi
[ "$failed" -eq 0 ]
