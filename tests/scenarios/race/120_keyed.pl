# 120_keyed.pl - the same through the outbox: a user's events share a partition, and so a consumer.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::Bin;
use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Consumer;
use PgOutbox::Streamer;
use PgOutbox::Wait qw(wait_for);
use Race;
use Test::More;

use constant USERS => 30;

my $kafka = PgOutbox::Kafka->shared;
my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $streamer = PgOutbox::Streamer->new(node => $node, kafka => $kafka, slot => 'outbox');
my $race;

# --- the gate that was passed by three at a time

{
	$race = Race->new($node, $kafka, 3);
	$streamer->start;
	$race->add('-w') foreach 1 .. 3;
	$race->settled(1);
	my @others = 100 .. 120;
	my $hold = $race->hold(7, 0 .. 2);
	$race->emit($_, 7) foreach 1 .. 3;
	$race->wait_at_gate(7, 1);
	$race->emit(4, @others);

	# where they are, according to somebody else
	wait_for(sub { $kafka->messages_in($race->{topic}) == 3 + @others }, 30) or die 'not delivered';
	my %partition;
	$partition{ $_->{key} }{ $_->{partition} } = 1 foreach PgOutbox::Consumer->all($kafka, $race->{topic});
	is(scalar keys %{ $partition{7} }, 1, "all of the user's events are on one partition");
	my ($mine) = keys %{ $partition{7} };
	my @elsewhere = grep { !$partition{$_}{$mine} } @others;
	cmp_ok(scalar @elsewhere, '>', 0, 'other users are elsewhere');

	ok(wait_for(sub { $race->rows == @elsewhere }, 30), 'two consumers have handled all that is theirs');
	is($race->at_gate(7), 1, 'one alone has an event of the user: its second one waits behind the first');
	$race->release($hold);
	ok(wait_for(sub { $race->rows == 1 + @others }, 30), 'then all are handled');
	is($race->duplicates, 0, 'no user has two rows');
	is($race->seen('test1', 7), Race::clock(3), "and the row says what the user's last event said");
	$race->leave;
}

# --- consumers come and go while events flow

{
	$race = Race->new($node, $kafka, 3);
	my $n = 0;
	# adds to a backlog that the consumers are at work on
	my $flows = sub {
		my ($what) = @_;
		$race->moves(sub { $race->emit(++$n, 1 .. USERS) foreach 1 .. 10; }) or die "nothing flows: $what";
		cmp_ok($race->behind($n, USERS), '>', 0, "events flow: $what");
		return;
	};
	my @consumers = map { $race->add } 1 .. 2;
	$race->settled;
	$flows->('a third consumer joins');
	push @consumers, $race->add;
	$race->settled(1);
	$flows->('one leaves');
	$consumers[0]->stop;
	$flows->('one is killed, and one joins');
	$consumers[1]->kill9;
	push @consumers, $race->add;
	$flows->('the streamer is killed');
	$streamer->kill9;
	$streamer->start;
	$flows->('one more joins');
	push @consumers, $race->add;
	ok(wait_for(sub { $race->behind($n, USERS) == 0 }, 120), 'every row says what the last event said') or note($streamer->log_text);
	$race->settled(1);
	is($race->duplicates, 0, 'no user has two rows');
	is($race->rows, USERS, 'each has one');
	$race->leave;
	is($race->behind($n, USERS), 0, 'and that is how it stays');
}
is($streamer->stop, 0, 'the streamer stops when asked');
done_testing();
