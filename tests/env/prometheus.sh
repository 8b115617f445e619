#!/usr/bin/env bash
# prometheus.sh - build/prometheus: prometheus and promtool, from Debian's package.
#
# It is unpacked, not installed: installed, it would start a server and enable it.
# Where it can't be had, the tests that need it are skipped by name; so this never
# fails.  DEPS=no forbids the download (20 MB, once); installed ones are used as
# they are.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL
set -euo pipefail
cd "$(dirname "$0")/../.."

dir=build/prometheus

if command -v promtool >/dev/null 2>&1 && command -v prometheus >/dev/null 2>&1; then
    exit 0
fi
[ ! -e $dir/.complete ] || exit 0
[ "${DEPS:-}" != no ] || exit 0
command -v apt-get >/dev/null 2>&1 && command -v dpkg-deb >/dev/null 2>&1 || exit 0

echo "fetching Prometheus for the tests of the alerts (20 MB, once)"
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
# as root apt would drop its rights, and could not write here
if (cd "$new" && apt-get -qq -o APT::Sandbox::User=root download prometheus >log 2>&1) &&
    dpkg-deb -x "$new"/prometheus_*.deb "$new/root" 2>>"$new/log"; then
    rm -rf $dir
    mkdir -p $dir
    cp "$new/root/usr/bin/prometheus" "$new/root/usr/bin/promtool" $dir/
    touch $dir/.complete
else
    sed 's/^/prometheus.sh: /' "$new/log" | tail -n 3 >&2
    echo "prometheus.sh: going on without Prometheus" >&2
fi
