# Bench.pm - runs in turn, medians, and where they are written.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Bench;

#   my $pairs = pairs(5, sub { return one_measurement }, sub { return the_other });
#   record('name', median(@$pairs), 'unit', $pairs, 'what it is');
#
# A ratio is always of two runs that follow each other, and the median of several
# such: the machine may be faster or slower a minute later, but hardly in between.

use strict;
use warnings FATAL => 'all';

use Exporter qw(import);
use IO::Handle;
use JSON::PP;

our @EXPORT_OK = qw(median in_turn record heading say_out wanted scaled);

# PostgreSQL::Test::Utils sends standard output and error to a log later on
open my $out, '>&', \*STDOUT or die "stdout: $!";
$out->autoflush(1);

my @results;
my $file = 'build/bench/results.json';

sub median
{
	my @sorted = sort { $a <=> $b } @_;
	return @sorted % 2 ? $sorted[$#sorted / 2] : ($sorted[@sorted / 2 - 1] + $sorted[@sorted / 2]) / 2;
}

# wanted(SECTION): BENCH="decode drain" chooses; all by default.
sub wanted
{
	my ($section) = @_;
	return !defined $ENV{BENCH} || $ENV{BENCH} eq '' || grep { $_ eq $section } split /\s+/, $ENV{BENCH};
}

# scaled(N): BENCH_SCALE=0.1 makes everything smaller, to try it out.
sub scaled
{
	my ($n) = @_;
	return int($n * ($ENV{BENCH_SCALE} // 1));
}

# in_turn(N, A, B, ...): each once in turn, N times; returns for each the list of
# what it gave (a hash each).
sub in_turn
{
	my ($n, @what) = @_;
	my @got = map { [] } @what;
	for (1 .. $n)
	{
		push @{ $got[$_] }, $what[$_]->() foreach 0 .. $#what;
	}
	return @got;
}

sub say_out { print $out @_; return; }

sub heading
{
	my ($text) = @_;
	print $out "\n$text\n";
	printf $out "  %-42s %12s  %s\n", 'name', 'median', 'runs';
	return;
}

# record(NAME, UNIT, [values], WHAT, quiet => 1): the median counts; written at once.
sub record
{
	my ($name, $unit, $values, $what, %more) = @_;
	my $value = median(@$values);
	push @results, {
		name => $name,
		value => 0 + sprintf('%.4g', $value),
		unit => $unit,
		runs => [ map { 0 + sprintf('%.4g', $_) } @$values ],
		what => $what
	};
	printf $out "  %-42s %12.4g  %s %s\n", $name, $value, $unit, join ' ', map { sprintf '%.3g', $_ } @$values
	  if !$more{quiet};
	open my $fh, '>', $file or die "$file: $!";
	print $fh JSON::PP->new->canonical->pretty->encode(\@results);
	close $fh or die "$file: $!";
	return $value;
}

1;
