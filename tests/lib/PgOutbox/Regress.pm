# Regress.pm - runs pg_regress or pg_isolation_regress on a private server, as TAP.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Regress;

# A test script is two lines:
#   use PgOutbox::Regress;
#   PgOutbox::Regress::run(isolation => 0);
#
# Tests are tests/regress/sql/*.sql (specs/*.spec), in the order of the file
# "schedule" ("isolation_schedule") if there is one, by name otherwise; "setup"
# comes before all others.

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use Test::More;

sub _tests
{
	my ($dir, $schedule, $pattern) = @_;
	my @files = map { m{([^/]+)\.\w+$} } sort glob "$dir/$pattern";
	if (open my $fh, '<', "$dir/$schedule")
	{
		my @listed = map { /^test:\s*(.*)/ ? split ' ', $1 : () } <$fh>;
		close $fh;
		my %listed = map { $_ => 1 } @listed;
		my @missing = grep { !$listed{$_} } @files;
		fail("$schedule names $_") foreach @missing;
		return @listed;
	}
	return ((grep { $_ eq 'setup' } @files), (grep { $_ ne 'setup' } @files));
}

# run(isolation => 0|1, conf => extra postgresql.conf)
sub run
{
	my (%arg) = @_;
	my $dir = PgOutbox::Env::top() . '/tests/regress';
	my @tests = _tests($dir, $arg{isolation} ? ('isolation_schedule', 'specs/*.spec') : ('schedule', 'sql/*.sql'));
	my $program = $arg{isolation} ? $ENV{PGOB_PG_ISOLATION} : $ENV{PGOB_PG_REGRESS};
	$program = PgOutbox::Env::top() . "/$program" if $program !~ m{^/};

	if (!@tests)
	{
		fail("there are tests");
		done_testing();
		return;
	}

	my $node = PgOutbox::Node->new($arg{isolation} ? 'isolation' : 'regress');
	# what tests print must not depend on where they run
	$node->init(conf => "timezone = 'UTC'\ndatestyle = 'ISO, MDY'\n" . ($arg{conf} // ''));
	$node->start;

	my $out = PgOutbox::Env::testdir();
	my @cmd = (
		$program, "--bindir=" . PgOutbox::Env::pgbin(),
		"--inputdir=$dir", "--outputdir=$out", '--host=' . $node->host, '--port=' . $node->port,
		'--user=' . getpwuid($<), '--dbname=contrib_regression',
		($arg{isolation} ? () : "--dlpath=$dir"), @tests);
	open my $fh, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @cmd or die "$program: $!";
	my (%result, @output);
	while (my $line = <$fh>)
	{
		push @output, $line;
		# 15:  "test name     ... ok   12 ms", with "FAILED" for ok; 16 and later: TAP
		if ($line =~ /^(?:test)?\s*(\S+)\s+\.\.\. (ok|FAILED|failed)/)
		{
			$result{$1} = $2 eq 'ok';
		}
		elsif ($line =~ /^(not )?ok \d+\s+[-+] (\S+)/)
		{
			$result{$2} = !$1;
		}
	}
	my $closed = close $fh;
	foreach my $test (@tests)
	{
		ok($result{$test}, $test) or diag(defined $result{$test} ? '' : 'was not run');
	}
	if (!$closed || grep { !$_ } values %result)
	{
		my $diffs = -e "$out/regression.diffs" ? PostgreSQL::Test::Utils::slurp_file("$out/regression.diffs") : '';
		$diffs = "$diffs\n@output" if $diffs eq '';
		diag(substr $diffs, 0, 6000);
		ok($closed, 'exit status');
	}
	$node->stop;
	done_testing();
	return;
}

1;
