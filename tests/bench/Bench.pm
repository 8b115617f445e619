# Bench.pm - runs in turn, medians, and where they are written.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Bench;

#   my ($ours, $theirs) = in_turn(pairs(), sub { return { seconds => 1 } }, sub { ... });
#   record('name', 'unit', ratio($ours, $theirs, 'seconds'), 'what it is');
#
# A ratio is always of two runs that follow each other, and the median of several
# such: the machine may be faster or slower a minute later, but hardly in between.
#
# Whatever is recorded is on disk at once, so that nothing is lost by what fails later:
#   results.json    [{ name, value (the median), unit, runs, what, section }, ...]
#   machine.json    what it ran on, and for each section when, how large, from which commit
#   NAME.json       what a section keeps beside that (keep)
# A run of chosen sections replaces their results and leaves the others'.

use strict;
use warnings FATAL => 'all';

use Exporter qw(import);
use IO::Handle;
use JSON::PP;

our @EXPORT_OK = qw(median in_turn ratio each_of record heading say_out pairs scaled seconds keep);

# PostgreSQL::Test::Utils sends standard output and error to a log later on
open my $out, '>&', \*STDOUT or die "stdout: $!";
$out->autoflush(1);

my $directory = 'build/bench';
my (@results, %machine, $section);

sub median
{
	my @sorted = sort { $a <=> $b } @_;
	return @sorted % 2 ? $sorted[$#sorted / 2] : ($sorted[@sorted / 2 - 1] + $sorted[@sorted / 2]) / 2;
}

# scaled(N): BENCH_SCALE=0.1 makes everything smaller, to try it out.
sub scaled
{
	my ($n) = @_;
	return int($n * ($ENV{BENCH_SCALE} // 1)) || 1;
}

# seconds(N): how long something is to last; not below 2, which says nothing.
sub seconds
{
	my ($n) = @_;
	my $scaled = scaled($n);
	return $scaled < 2 ? 2 : $scaled;
}

# pairs(): how often each is measured.
sub pairs { return $ENV{BENCH_PAIRS} // 5; }

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

# ratio(A, B, KEY): run by run.
sub ratio
{
	my ($a, $b, $key) = @_;
	return [ map { $a->[$_]{$key} / $b->[$_]{$key} } 0 .. $#$a ];
}

# each_of(RUNS, KEY, FACTOR)
sub each_of
{
	my ($runs, $key, $factor) = @_;
	return [ map { $_->{$key} * ($factor // 1) } @$runs ];
}

sub say_out { print $out @_; return; }

sub heading
{
	my ($text) = @_;
	print $out "\n$text\n";
	printf $out "  %-46s %12s  %s\n", 'name', 'median', 'runs';
	return;
}

# keep(NAME, DATA): into a file beside the results.
sub keep
{
	my ($name, $data) = @_;
	my $file = "$directory/$name";
	open my $fh, '>', "$file.new" or die "$file: $!";
	print $fh JSON::PP->new->canonical->pretty->encode($data);
	close $fh or die "$file: $!";
	rename "$file.new", $file or die "$file: $!";
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
		what => $what,
		section => $section
	};
	printf $out "  %-46s %12.4g  %s %s\n", $name, $value, $unit, join ' ', map { sprintf '%.3g', $_ } @$values
	  if !$more{quiet};
	keep('results.json', \@results);
	return $value;
}

# ---- sections

sub _earlier
{
	my ($name, $default) = @_;
	open my $fh, '<', "$directory/$name" or return $default;
	local $/;
	return eval { decode_json(<$fh>) } // $default;
}

# begin(MACHINE): a whole run starts anew, one of chosen sections with what is there.
sub begin
{
	my ($machine) = @_;
	my $chosen = ($ENV{BENCH} // '') ne '';
	@results = $chosen ? @{ _earlier('results.json', []) } : ();
	my $earlier = $chosen ? _earlier('machine.json', {}) : {};
	%machine = (%$machine, sections => $earlier->{sections} // {});
	return;
}

# section(NAME, CODE): runs it; the reason if it failed.
sub section
{
	my ($name, $code) = @_;
	$section = $name;
	@results = grep { ($_->{section} // '') ne $name } @results;
	my $began = time;
	my $failure = eval { $code->(); 1 } ? undef : $@ || 'failed';
	$machine{sections}{$name} = {
		began => _date($began),
		seconds => time - $began,
		commit => $ENV{PGOB_COMMIT} // 'unknown',
		scale => 0 + ($ENV{BENCH_SCALE} // 1),
		pairs => 0 + pairs(),
		($failure ? (failed => $failure) : ())
	};
	keep('results.json', \@results);
	keep('machine.json', \%machine);
	return $failure;
}

sub _date
{
	my @t = gmtime $_[0];
	return sprintf '%04d-%02d-%02d %02d:%02d UTC', $t[5] + 1900, $t[4] + 1, @t[ 3, 2, 1 ];
}

1;
