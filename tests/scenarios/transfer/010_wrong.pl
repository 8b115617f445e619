# 010_wrong.pl - transfers without transactions: what each crash leaves, counted.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::Bin;
use PgOutbox::Kafka;
use Bank;
use Test::More;

my $kafka = PgOutbox::Kafka->shared;

sub wrong
{
	my ($point, $what) = @_;
	my $bank = Bank->new($kafka);
	$bank->pay(10);
	$bank->dies_at("$point:4");
	my $then = $bank->look;
	$bank->finish;
	my $look = $bank->look;
	note("$what: after the crash $then->{half} half transfers; in the end $look->{records} records for 10 transfers, "
		  . "$look->{repeated} transfers repeated, sum $look->{sum}");
	return ($then, $look);
}

{
	my ($then, $look) = wrong('debit', 'dies between debit and credit');
	is($then->{half}, 1, 'money has left one account and not reached the other');
	is($look->{records}, 21, 'started again, it debits once more: an event too many');
	isnt($look->{sum}, 0, 'money is not conserved');
}
{
	my ($then, $look) = wrong('offsets', 'dies before the offset commit');
	is($then->{half}, 0, 'the transfer is complete');
	is($look->{records}, 22, 'started again, it is applied once more');
	is($look->{repeated}, 1, 'one transfer twice');
}
{
	my ($then, $look) = wrong('commit', 'dies between transfers');
	is($look->{applied}, 10, 'only with luck each transfer is applied once');
}
done_testing();
