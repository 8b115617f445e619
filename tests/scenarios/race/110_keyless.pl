# 110_keyless.pl - a user's events on several partitions: what consumers make of them, counted.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::Bin;
use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Wait qw(wait_for);
use Race;
use Test::More;

use constant USERS => 10;

my $kafka = PgOutbox::Kafka->shared;
my $node = PgOutbox::Node->ready('main');

# without a key the producer may put any event anywhere
sub keyless
{
	my ($race, $user, $n, $partition) = @_;
	$kafka->produce($race->{topic}, { value => Race::event($user, $n), partition => $partition });
	return;
}

# --- look, then insert

{
	my $race = Race->new($node, $kafka, 3);
	$race->add('-w') foreach 1 .. 3;
	$race->settled(1);
	foreach my $user (1 .. USERS)
	{
		my $hold = $race->hold($user, 0 .. 2);
		keyless($race, $user, $_, $_) foreach 0 .. 2;
		$race->wait_at_gate($user, 3);    # all have looked, and there was no row
		$race->release($hold);
	}
	wait_for(sub { $race->rows >= 3 * USERS }, 30);
	is($race->duplicates, 2 * USERS, 'three consumers have one event each of a user: two rows too many for every user');
	$race->leave;
}

# --- a key in the table, and an upsert: no second row, but any order

{
	my $race = Race->new($node, $kafka, 3);
	$race->add('-w', '-u') foreach 1 .. 3;
	$race->settled(1);
	my $wrong = 0;
	foreach my $user (1 .. USERS)
	{
		my $hold = $race->hold($user, 0);
		keyless($race, $user, 1, 0);
		$race->wait_at_gate($user, 1);
		keyless($race, $user, 2, 1);
		wait_for(sub { $race->seen('test2', $user) eq Race::clock(2) }, 30) or die 'the newer event is not applied';
		$race->release($hold);
		$wrong++ if wait_for(sub { $race->seen('test2', $user) eq Race::clock(1) }, 30);
	}
	is($wrong, USERS, 'an upsert: the older event is written last, for every user');
	$race->leave;
}

# --- a key for the events, and a consumer that sleeps

{
	my $race = Race->new($node, $kafka, 1);
	my $sleeper = $race->add('-w');
	$race->settled(1);
	my $hold = $race->hold(7, 0);
	$kafka->produce($race->{topic}, { key => '7', value => Race::event(7, 1) });
	$race->wait_at_gate(7, 1);
	$sleeper->signal('STOP');
	# the group does without it once its session is over
	my $other = $race->add('-w');
	$race->wait_at_gate(7, 2);
	$race->release($hold);
	wait_for(sub { $race->rows == 1 }, 30) or die 'the other consumer did not insert';
	$sleeper->signal('CONT');
	wait_for(sub { $race->rows == 2 }, 30);
	is($race->duplicates, 1, 'a key orders events, it does not stop a consumer that the group has left behind: one row too many');
	$race->leave;
}
done_testing();
