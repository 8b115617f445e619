# 210_direct.pl - producing beside the transaction: what each failure leaves, counted.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::Bin;
use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Wait qw(wait_for);
use Order;
use Test::More;

my $kafka = PgOutbox::Kafka->new->start;
my $node = PgOutbox::Node->ready('main');

# --- in the middle of the transaction

{
	my $shop = Order->new($node, $kafka);
	is($shop->run($shop->directly, '-n', 30), 0, '30 requests; the status of three cannot be updated, three cannot commit');
	my $seen = $shop->compare;
	is($seen->{saved}, 24, '24 are saved');
	is($seen->{phantom}, 6, 'and six announced that do not exist');
	is($seen->{unannounced}, 0, 'the others are well');
}
{
	my $shop = Order->new($node, $kafka);
	is($shop->run($shop->directly, '-p', 'announced:2'), 137, 'it dies after it has announced the second one');
	is($shop->phantom_unannounced, '1 0', 'which does not exist');
}
{
	my $shop = Order->new($node, $kafka);
	$shop->healthy;
	my $proc = $shop->start($shop->directly, '-r', '-w', 20);
	wait_for(sub { $kafka->messages_in($shop->{topic}) >= 5 }, 30) or die $proc->log_text;
	$kafka->pause;
	my $sql = 'SELECT last_value FROM request';
	my $then = $node->safe_psql('postgres', $sql);
	wait_for(sub { $node->safe_psql('postgres', $sql) >= $then + 2 }, 30) or die 'no request';    # one has timed out
	$proc->stop;
	$kafka->resume;
	ok(wait_for(sub { $shop->compare->{phantom} > 0 }, 30),
		'the broker pauses: a request that was rolled back for that is announced when it goes on');
}

# --- after the commit

{
	my $shop = Order->new($node, $kafka);
	is($shop->run($shop->directly, '-a', '-n', 30), 0, '30 requests, announced after their commit');
	is($shop->phantom_unannounced, '0 0', 'failures of the database do no harm');
	is($shop->run($shop->directly, '-a', '-p', 'committed:1'), 137, 'it dies after a commit');
	is($shop->phantom_unannounced, '0 1', 'and nobody will ever hear of that request');
}

# --- the broker is away

{
	my $shop = Order->new($node, $kafka);
	$shop->healthy;
	$kafka->kill9;
	is($shop->run($shop->directly, '-n', 4), 0, 'the broker is away: four requests');
	is($shop->run($shop->directly, '-a', '-n', 4), 0, 'four that announce after the commit');
	is($shop->run($shop->directly, '-r', '-n', 4), 0, 'four that are rolled back if they cannot announce');
	$kafka->start;
	my $seen = $shop->compare;
	is($seen->{unannounced}, 8, 'eight are saved, and unannounced, also when the broker is back');
	is($seen->{saved}, 8, 'of the last four none is saved: the shop is closed whenever the broker is');
}
done_testing();
