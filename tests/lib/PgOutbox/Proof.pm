# Proof.pm - how a proof, or a test in its small form, says what it has counted.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Proof;

use strict;
use warnings FATAL => 'all';

use Exporter qw(import);
use JSON::PP;
use Test::More;

our @EXPORT_OK = qw(result seed full_size sized);

my @results;

# full_size(): whether this is make proof; make check runs scaled down.
sub full_size
{
	return defined $ENV{PGOB_PROOF};
}

# sized(SMALL, FULL): the one for make check, or the one for make proof.
sub sized
{
	my ($small, $full) = @_;
	return full_size() ? $full : $small;
}

# seed(): of this run's randomness, from SEED or new; printed, and set for rand().
sub seed
{
	my $seed = $ENV{SEED};
	$seed = int rand 1 << 31 if !defined $seed || $seed eq '';
	srand $seed;
	note("SEED=$seed");
	return $seed;
}

# result(NAME, { count => n, ... }, what => 'one sentence', seed => n): one entry of
# build/proof/results.json; in make check a remark only.
sub result
{
	my ($name, $counts, %more) = @_;
	note("$name: " . join ', ', map { "$_ " . (ref $counts->{$_} ? "@{$counts->{$_}}" : $counts->{$_}) } sort keys %$counts);
	push @results, { name => $name, counts => $counts, %more };
	if (full_size())
	{
		my $file = $ENV{PGOB_PROOF};
		open my $fh, '>', $file or die "$file: $!";
		print $fh JSON::PP->new->canonical->pretty->encode(\@results);
		close $fh or die "$file: $!";
	}
	return;
}

1;
