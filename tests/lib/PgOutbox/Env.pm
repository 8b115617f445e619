# Env.pm - where a test finds what it needs: checkout, programs, server, run directory.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Env;

# Loading it is enough; it has to come before PostgreSQL::Test::*, which read the
# environment when they are loaded.  The other modules here load it first.
#
# Environment (set by tests/env/check.sh, with defaults for a test that is run
# by hand after a build; names start with PGOB_, because OUTBOX_ belongs to the
# streamer's configuration):
#   PGOB_TOP      the checkout, or the copy of it that the tests run in
#   PGOB_BUILD    build products below it (build, or build/sanitize)
#   PGOB_PGBIN    binaries of the private PostgreSQL installation
#   PGOB_PG_PERL  where PostgreSQL::Test::Cluster lives
#   PGOB_RUN      directory of this run: records of processes, logs, data
#   KAFKA_HOME    an installed Kafka to use in place of build/kafka

use strict;
use warnings FATAL => 'all';

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Path qw(make_path);
use File::Temp ();

our ($top, $build, $pgbin, $run, $testdir, $scratch);

sub _load_server
{
	return if $ENV{PGOB_PGBIN} && $ENV{PGOB_PG_PERL};
	my @majors =
	  $ENV{PG_MAJOR}
	  ? $ENV{PG_MAJOR}
	  : reverse 15 .. 18;
	foreach my $major (@majors)
	{
		my $file = "$top/build/pg/$major.env";
		open my $fh, '<', $file or next;
		while (my $line = <$fh>)
		{
			$ENV{$1} //= $2 if $line =~ /^(\w+)=(.*)$/;
		}
		close $fh;
		return;
	}
	die "no private PostgreSQL below $top/build/pg: run make check or tests/env/pg.sh first\n";
}

sub _absolute
{
	my ($path) = @_;
	return $path =~ m{^/} ? $path : "$top/$path";
}

BEGIN
{
	$top = $ENV{PGOB_TOP} // abs_path(dirname(__FILE__) . '/../../..');
	_load_server();
	$pgbin = _absolute($ENV{PGOB_PGBIN});
	$build = _absolute($ENV{PGOB_BUILD} // 'build');

	# short, because sockets live below it
	if ($ENV{PGOB_RUN})
	{
		$run = $ENV{PGOB_RUN};
	}
	else
	{
		$scratch = File::Temp->newdir('/tmp/pgob-XXXXXX', CLEANUP => 1);
		$run = $scratch->dirname;
		$ENV{PGOB_RUN} = $run;
	}

	(my $name = basename($0)) =~ s/\.[^.]+$//;
	my $suite = basename(dirname(abs_path($0) // $0));
	$testdir = "$run/t/$suite-$name";
	make_path($testdir, "$testdir/log");
	$ENV{TESTDIR} = $testdir;                       # PostgreSQL 15
	$ENV{TESTDATADIR} = "$testdir/tmp_check";       # 16 and later
	$ENV{TESTLOGDIR} = "$testdir/tmp_check/log";
	mkdir "$run/ports";
	$ENV{PG_TEST_PORT_DIR} = "$run/ports";
	$ENV{PG_REGRESS} = _absolute($ENV{PGOB_PG_REGRESS}) if $ENV{PGOB_PG_REGRESS};
	$ENV{PATH} = "$pgbin:$ENV{PATH}";
	$ENV{TZ} = 'UTC';
	unshift @INC, _absolute($ENV{PGOB_PG_PERL});
}

=pod

	top()          the checkout or its copy
	program(NAME)  path of a program of ours, e.g. outbox-streamer
	tool(NAME)     path of a test's own program, from build/tests
	testdir()      a directory of this test alone; removed after the run
	run()          directory of the whole run
	major()        major version of the server

=cut

sub top { return $top; }
sub pgbin { return $pgbin; }
sub run { return $run; }
sub testdir { return $testdir; }
sub program { return "$build/bin/$_[0]"; }
sub tool { return "$top/build/tests/$_[0]"; }

sub major
{
	my $line = qx{"$pgbin/pg_config" --version};
	return $line =~ /(\d+)/ ? $1 : die "pg_config --version: $line";
}

1;
