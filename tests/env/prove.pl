#!/usr/bin/env perl
# prove.pl - chooses the tests of the suites asked for and gives them to prove.
#
#   tests/env/prove.pl SUITE...     in the place that tests/env/run.pl made
#
# A test is a file that prints TAP: a program of build/unit or build/fuzz, a Perl
# script, or a pgTAP script.  Two run at a time, but those that measure time or
# load, which say so by a line "# runs alone" near their top, run by themselves,
# last.
#
# TESTS chooses among them: file names, with or without folder and extension; a program
# also without its _test or _fuzz.
# PGOB_BRIEF chooses those with a line "# brief: WHERE" that names it (PostgreSQL
# majors that get no full run, sanitizer builds).
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use Cwd ();
use File::Basename qw(basename dirname);
use File::Path qw(make_path);

my $build = $ENV{PGOB_BUILD} // 'build';
my $brief = $ENV{PGOB_BRIEF};

# suite => where its tests are
my %places = (
	unit => ["$build/unit/*_test"],
	fuzz => ['build/fuzz/*_fuzz'],
	pgtap => ['tests/pgtap/*.sql'],
	regress => ['tests/regress/*.pl'],
	e2e => ['tests/e2e/*.pl'],
	scenarios => ['tests/scenarios/*/*.pl'],
	mutants => ['tests/mutants/*.pl'],
	lint => ['tests/lint/*.pl']);

# head(FILE): where the marks are
sub head
{
	my ($file) = @_;
	return '' if $file =~ m{^build/};
	open my $fh, '<', $file or die "$file: $!";
	my $text = join '', map { scalar <$fh> // '' } 1 .. 40;
	close $fh;
	return $text;
}

my %chosen = map { (my $name = basename($_)) =~ s/\.\w+$//; ($name => 1) } split ' ', $ENV{TESTS} // '';
my (@together, @alone);
my %found;
foreach my $suite (@ARGV)
{
	my $places = $places{$suite} or die "no such suite: $suite (there are: @{[sort keys %places]})\n";
	my @files = grep { !-d } map { glob } @$places;
	if (!@files)
	{
		# a suite that isn't there must not look like one that passes
		print STDERR "suite $suite has no tests\n";
		push @together, "tests/$suite/(none)";
	}
	foreach my $file (@files)
	{
		(my $name = basename($file)) =~ s/\.\w+$//;
		(my $short = $name) =~ s/_(?:test|fuzz)$//;
		$found{$name}++;
		$found{$short}++;
		next if %chosen && !$chosen{$name} && !$chosen{$short};
		my $head = head($file);
		next if defined $brief && $file !~ m{^build/} && $head !~ m{^\W*brief:.*\b\Q$brief\E\b}m;
		if ($head =~ m{^\W*runs alone\b}m) { push @alone, $file; }
		else                               { push @together, $file; }
	}
}
my @unknown = grep { !$found{$_} } sort keys %chosen;
die "no such test in the suites @ARGV: @unknown\n" if @unknown;
@together || @alone or die "no test of the suites @ARGV fits\n";
# what names no file would only be a complaint of prove's
@together = grep { !m{/\(none\)$} } @together if %chosen;

# the counts go to a place of this run alone
make_path(dirname($ENV{PGOB_COUNTS})) if defined $ENV{PGOB_COUNTS};

# prove itself needs the formatter, not only what it runs
$ENV{PERL5LIB} = join ':', grep { defined && $_ ne '' } Cwd::abs_path('tests/lib'), $ENV{PERL5LIB};

my $status = 0;
foreach my $part ([ $ENV{PGOB_JOBS} // 2, \@together ], [ 1, \@alone ])
{
	my ($jobs, $files) = @$part;
	next unless @$files;
	my @cmd = (
		'prove', '--jobs', $jobs, '--timer', '--failures', '--comments',
		'--formatter', 'PgOutbox::Formatter', '--exec', 'tests/env/tap.sh', @$files);
	system { $cmd[0] } @cmd;
	exit 130 if ($? & 127) == 2 || $? >> 8 == 130;
	$status = 1 if $?;
}
exit $status;
