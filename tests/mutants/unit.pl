# unit.pl - each fault in tests/mutants/unit is seen by the unit test that is named for it.
#
# MUTANTS="name ..." chooses.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use lib 'tests/mutants';
use Mutant;
use Test::More;

my @mutants = Mutant->all('tests/mutants/unit');
my $tree = Mutant::tree('src', 'decoder_plugin/wire.h', 'tests/unit', 'tests/bench');
# quickly built; and what is found at random must be found again
my @make = ('env', '-u', 'TESTS', '-u', 'SANITIZE', '-u', 'MAKEFLAGS', '-u', 'MAKELEVEL', 'make', '-s', '-C', "$tree/tests/unit");
local $ENV{SEED} = $ENV{SEED} || 1;

# build(TEST, SANITIZE): undef, or what the compiler said
sub build
{
	my ($test, $sanitize) = @_;
	my $build = '../../build' . ($sanitize ? '/sanitize' : '') . "/unit/$test";
	my $pid = open my $fh, '-|';
	defined $pid or die "fork: $!";
	if ($pid == 0)
	{
		open STDERR, '>&', \*STDOUT;
		exec @make, ($sanitize ? 'SANITIZE=1' : 'CFLAGS=-O1'), $build;
	}
	my $output = do { local $/ = undef; <$fh> };
	return close $fh ? undef : $output;
}

# run(TEST, SANITIZE): status and output
sub run
{
	my ($test, $sanitize) = @_;
	my $program = "$tree/build" . ($sanitize ? '/sanitize' : '') . "/unit/$test";
	my $output = qx{exec 2>&1; timeout -s KILL 120 '$program'};
	return ($?, $output);
}

my %needed = map { ("$_->{'caught-by'} " . ($_->{sanitize} ? 1 : 0) => 1) } @mutants;
my %sound;
foreach my $needed (sort keys %needed)
{
	my ($test, $sanitize) = split ' ', $needed;
	my $error = build($test, $sanitize);
	my ($status, $output) = defined $error ? (1, $error) : run($test, $sanitize);
	$sound{$needed} = ok($status == 0, "$test passes without a fault" . ($sanitize ? ' (sanitizers)' : ''))
	  or diag($output);
}

foreach my $mutant (@mutants)
{
	my $test = $mutant->{'caught-by'};
	my $sanitize = $mutant->{sanitize} ? 1 : 0;
	SKIP:
	{
		skip("$mutant->{name}: $test fails without it", 1) unless $sound{"$test $sanitize"};
		my $before = eval { $mutant->apply($tree) };
		if (!$before)
		{
			fail("$mutant->{name}: $mutant->{fault}");
			diag($@);
			next;
		}
		my $error = build($test, $sanitize);
		my ($status, $output) = defined $error ? () : run($test, $sanitize);
		my $missed = defined $error ? "it doesn't build:\n$error" : $mutant->verdict($status, $output);
		ok(!defined $missed, "$mutant->{name}: $mutant->{fault}") or diag($missed);
		Mutant::restore($before);
	}
}
ok(@mutants > 0, 'there are mutants');
done_testing();
