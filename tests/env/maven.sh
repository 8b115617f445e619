#!/usr/bin/env bash
# maven.sh - jars through Maven into a folder of build/; offline once they are there.
#
#   tests/env/maven.sh FOLDER POM WHAT JAR...
#
# POM (in tests/env) names them; JAR... are patterns of those that have to be there
# afterwards; WHAT is said while they are fetched.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=build/$1 pom=tests/env/$2 what=$3
shift 3

[ ! -e "$folder/.complete" ] || exit 0
command -v mvn >/dev/null || {
    echo "maven.sh: $what: Maven is missing (apt-get install maven)" >&2
    exit 1
}
echo "fetching $what through Maven, once"
rm -rf "$folder"
mkdir -p "$folder"
get()
{
    mvn -q -B "$@" -f "$pom" dependency:copy-dependencies -DoutputDirectory="$PWD/$folder"
}
get -o >/dev/null 2>&1 || get || get || {
    echo "maven.sh: $what: Maven could not fetch the jars" >&2
    exit 1
}
for jar; do
    compgen -G "$folder/$jar" >/dev/null || {
        echo "maven.sh: $what: Maven has not fetched $jar" >&2
        exit 1
    }
done
touch "$folder/.complete"
