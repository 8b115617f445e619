# 900_demo.pl - the account of "make demo" notices whatever it has to notice.
#
# Messages made up by hand, against source tables made up by hand: neither server nor
# broker is needed.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Env;
use lib PgOutbox::Env::top() . '/tests/demo';
use Account;
use Test::More;

# two orders with three and two events; order, value, commit time in us
my %source = (
	rolled_back => 1,
	orders => { 1 => 3, 2 => 2 },
	events => {
		a1 => [ 1, '{"version": 1}', 1_000_000 ],
		a2 => [ 1, '{"version": 2}', 2_000_000 ],
		a3 => [ 1, '{"version": 3}', 3_000_000 ],
		b1 => [ 2, '{"version": 1}', 4_000_000 ],
		b2 => [ 2, '{"version": 2}', 5_000_000 ]
	});

sub message
{
	my ($id, %change) = @_;
	my ($key, $value, $committed) = @{ $source{events}{$id} // [ 9, '{"version": 1}', 0 ] };
	return {
		partition => $key % 2,
		key => $key,
		value => $value,
		received => $committed + 2000,
		headers => [ [ id => $id ] ],
		%change
	};
}

sub all { return map { message($_) } @_; }

# counts(NAME, { what is not as it should be }, MESSAGE...)
sub counts
{
	my ($name, $different, @messages) = @_;
	my %expected = (
		arrived => 5, lost => 0, short => 0, foreign => 0, repeated => 0, disorder => 0, altered => 0,
		moved => 0, keys => 2, %$different);
	is_deeply(Account::compare(\%source, @messages), \%expected, $name);
	return;
}

my @good = all(qw(a1 b1 a2 a3 b2));
counts('all is well', {}, @good);
counts('one is lost', { arrived => 4, lost => 1, short => 1 }, all(qw(a1 a2 a3 b1)));
counts('one is lost in the middle', { arrived => 4, lost => 1, disorder => 1 }, all(qw(a1 b1 a3 b2)));
counts('an order is lost', { arrived => 3, lost => 2, short => 1, keys => 1 }, all(qw(a1 a2 a3)));
counts('two have changed places', { disorder => 2, short => 1 }, all(qw(a1 b1 a3 a2 b2)));
counts('one came twice', { repeated => 1 }, @good, message('a2'));
counts('one was rolled back', { foreign => 1 }, @good, message('zz'));
counts('a value differs', { altered => 1 }, all(qw(a1 b1 a2 a3)), message('b2', value => '{"version":2}'));
counts('a value is missing', { altered => 1 }, all(qw(a1 b1 a2 a3)), message('b2', value => undef));
counts('a key differs', { altered => 1 }, all(qw(a1 b1 a2 a3)), message('b2', key => 1));
counts('a key has moved', { moved => 1 }, all(qw(a1 b1 a2 a3)), message('b2', partition => 7));

my @ms = Account::latencies(\%source, 1_500_000, 3_500_000, @good, message('b1', received => 9_000_000));
is_deeply(\@ms, [ 2, 2, 2 ], 'latencies: of first occurrences, without those of the outage');
is(Account::quantile(0.5, 1 .. 101), 51, 'median');

done_testing();
