# sql.pl - each fault in tests/mutants/sql is seen by the pgTAP script that is named for it.
#
# What passes without a fault is not run again here: the suite pgtap does.
# MUTANTS="name ..." chooses.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use lib 'tests/mutants', 'tests/lib';
use Mutant;
use PgOutbox::Env;
use Test::More;

my $top = PgOutbox::Env::top();
my $major = PgOutbox::Env::major();
my @mutants = Mutant->all('tests/mutants/sql');
my $tree = Mutant::tree('sql', 'decoder_plugin', 'tests');
mkdir "$tree/build" or die "$tree/build: $!";
symlink "$top/build/download", "$tree/build/download" or die "$tree/build/download: $!";

# install(): the faulty extension, into a server of this tree alone
sub install
{
	my $output = qx{exec 2>&1; '$tree/tests/env/pg.sh' $major};
	return $? ? $output : undef;
}

# run(MUTANT): status and output of its test, under a name and so in a place of its own
sub run
{
	my ($mutant) = @_;
	my ($script) = $mutant->{'caught-by'} =~ m{^pgtap/(\w+)$} or die "$mutant->{name}: Caught-by: pgtap/SCRIPT\n";
	my $copy = "tests/pgtap/$mutant->{name}.sql";
	Mutant::spew("$tree/$copy", Mutant::slurp("$tree/tests/pgtap/$script.sql"));
	local $ENV{PGOB_TOP} = "$tree";
	my $output = qx{exec 2>&1; cd '$tree' && timeout -k 10 120 perl -Itests/lib tests/env/pgtap.pl '$copy'};
	return ($?, $output);
}

foreach my $mutant (@mutants)
{
	my $before = eval { $mutant->apply($tree) };
	if (!$before)
	{
		fail("$mutant->{name}: $mutant->{fault}");
		diag($@);
		next;
	}
	my $error = install();
	my ($status, $output) = defined $error ? () : run($mutant);
	# a script that ends well says in its last line what failed
	$status ||= 1 if defined $output && $output =~ /^not ok /m;
	my $missed = defined $error ? "it isn't installed:\n$error" : $mutant->verdict($status, $output);
	ok(!defined $missed, "$mutant->{name}: $mutant->{fault} ($mutant->{'caught-by'})") or diag($missed, "\n", $output // '');
	Mutant::restore($before);
}
ok(@mutants > 0, 'there are mutants');
done_testing();
