# e2e.pl - each fault in tests/mutants/e2e is seen by the test that is named for it.
#
# That test is one of tests/e2e or tests/regress, run on the real path up to the point
# that has to fail.  What passes without a fault is not run again here: the suites do.
# MUTANTS="name ..." chooses.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use lib 'tests/mutants', 'tests/lib';
use Cwd qw(abs_path);
use Mutant;
use PgOutbox::Env;
use Test::More;

my $top = PgOutbox::Env::top();
my $here = abs_path('tests/mutants');
my @mutants = Mutant->all('tests/mutants/e2e');
my $tree = Mutant::tree('src', 'sql', 'decoder_plugin', 'tests');
mkdir "$tree/build" or die "$tree/build: $!";
foreach my $what (qw(kafka tests download))
{
	symlink "$top/build/$what", "$tree/build/$what" or die "$tree/build/$what: $!";
}
my @clean = qw(env -u TESTS -u SANITIZE -u MAKEFLAGS -u MAKELEVEL);

sub output_of
{
	my (@command) = @_;
	my $pid = open my $fh, '-|';
	defined $pid or die "fork: $!";
	if ($pid == 0)
	{
		open STDERR, '>&', \*STDOUT;
		exec @command or POSIX::_exit(127);
	}
	my $output = do { local $/ = undef; <$fh> };
	close $fh;
	return ($?, $output);
}

# build(SERVER): undef, or what went wrong; SERVER if plugin or extension are not ours
sub build
{
	my ($server) = @_;
	my ($status, $output) = output_of(@clean, 'make', '-s', '-C', "$tree/src", 'CFLAGS=-O1');
	return $output if $status;
	my $pg = "$tree/build/pg";
	if ($server)
	{
		unlink $pg if -l $pg;
		($status, $output) = output_of(@clean, "$tree/tests/env/pg.sh", PgOutbox::Env::major());
		return $output if $status;
	}
	elsif (!-e $pg)
	{
		symlink "$top/build/pg", $pg or die "$pg: $!";
	}
	return;
}

# run(MUTANT): status and output of its test, under a name and so in a place of its own
sub run
{
	my ($mutant) = @_;
	my ($suite, $test) = $mutant->{'caught-by'} =~ m{^(\w+)/(\w+)$} or die "$mutant->{name}: Caught-by: SUITE/TEST\n";
	my $script = "tests/$suite/$mutant->{name}.pl";
	Mutant::spew("$tree/$script", Mutant::slurp("$tree/tests/$suite/$test.pl"));
	local $ENV{PGOB_TOP} = "$tree";
	local $ENV{PGOB_BUILD} = 'build';
	local $ENV{MUTANT_POINT} = $mutant->{point};
	return output_of('timeout', '-k', '10', '300', 'sh', '-c', 'cd "$0" && exec perl -I"$1" -MStopAtPoint -Itests/lib "$2"',
		"$tree", $here, $script);
}

# streamer's faults first: once a server has been built here, it is used for all
sub needs_server { return grep { $_->{file} !~ m{^src/} } @{ $_[0]{hunks} }; }
foreach my $mutant (sort { !!needs_server($a) <=> !!needs_server($b) || $a->{name} cmp $b->{name} } @mutants)
{
	my $before = eval { $mutant->apply($tree) };
	if (!$before)
	{
		fail("$mutant->{name}: $mutant->{fault}");
		diag($@);
		next;
	}
	my $error = build(scalar needs_server($mutant));
	my ($status, $output) = defined $error ? () : run($mutant);
	my $missed = defined $error ? "it doesn't build:\n$error" : $mutant->verdict($status, $output);
	ok(!defined $missed, "$mutant->{name}: $mutant->{fault} ($mutant->{'caught-by'})") or diag($missed, "\n", $output // '');
	Mutant::restore($before);
}
ok(@mutants > 0, 'there are mutants');
done_testing();
