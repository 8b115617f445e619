# 220_outbox.pl - the same through the outbox: rows and events agree, whatever dies.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::Bin;
use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Proof qw(seed);
use PgOutbox::Streamer;
use PgOutbox::Wait qw(wait_for);
use Order;
use Test::More;
use Time::HiRes qw(sleep);

my $kafka = PgOutbox::Kafka->new->start;
my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $streamer = PgOutbox::Streamer->new(node => $node, kafka => $kafka, slot => 'outbox');
my $shop;

sub delivered { return $node->wait_confirmed('outbox', undef, 60) || die 'not confirmed: ' . $streamer->log_text; }

# --- each failure of the wrong way

$streamer->start;
{
	$shop = Order->new($node, $kafka);
	is($shop->run($shop->by_outbox, '-n', 30), 0, '30 requests; the status of three cannot be updated, three cannot commit');
	is($shop->run($shop->by_outbox, '-p', "$_:1"), 137, "it dies: $_") foreach qw(announced committed);
	delivered();
	my $seen = $shop->compare;
	is($seen->{saved}, 25, '25 are saved');
	is("$seen->{phantom} $seen->{unannounced}", '0 0', 'all of them are announced, and nothing else');
}

# --- the broker is away: the shop is open, and the rows are kept

{
	$shop = Order->new($node, $kafka);
	$kafka->kill9;
	is($shop->run($shop->by_outbox, '-n', 100), 0, 'the broker is away: requests are handled');
	is($node->safe_psql('postgres', "SELECT count(*) FROM outbox.event WHERE topic = '$shop->{topic}'"), 80, 'their events are rows');
	$kafka->start;
	delivered();
	is($shop->phantom_unannounced, '0 0', 'and are sent when it is back');
	my $sent = $kafka->messages_in($shop->{topic});
	my ($code, $out, $err) = $streamer->run('replay', '--query', "SELECT id FROM outbox.event WHERE topic = '$shop->{topic}'");
	is($code, 0, 'a consumer has lost all that: it is sent again, from the rows') or diag($err);
	is($kafka->messages_in($shop->{topic}), $sent + 80, 'once more');
}

# --- everything dies in turn

{
	seed();
	$shop = Order->new($node, $kafka);
	my $proc;
	my $flows = sub {
		my $then;
		wait_for(
			sub {
				# as a supervisor would
				$streamer->start if !$streamer->alive;
				$proc = $shop->start($shop->by_outbox, '-w', 2) if !$proc || !$proc->alive;
				my $now = eval { $kafka->messages_in($shop->{topic}) } // return 0;
				$then //= $now;
				return $now > $then + 20;
			},
			60,
			step => 0.05) or die 'nothing flows: ' . $streamer->log_text . $proc->log_text;
		sleep rand 0.1;
		return;
	};
	foreach my $round (1 .. 2)
	{
		$flows->();
		$proc->kill9;
		$flows->();
		$streamer->kill9;
		$flows->();
		$kafka->kill9;
		$kafka->start;
		$flows->();
		$node->stop('immediate');
		$node->start;
	}
	$flows->();
	$proc->stop;
	delivered();
	my $seen = $shop->compare;
	cmp_ok($seen->{saved}, '>', 200, "application, streamer, broker and PostgreSQL killed in turn: $seen->{saved} requests");
	is($seen->{phantom}, 0, 'nothing is announced that does not exist');
	is($seen->{unannounced}, 0, 'nothing exists unannounced');
	my $status = join ' UNION ALL ', map { "SELECT status FROM $_" } qw(customer orders payment);
	is($node->safe_psql('postgres', "SELECT count(*) FROM ($status) t WHERE status <> 'complete'"), 0, 'and every status is complete');
}
is($streamer->stop, 0, 'the streamer stops when asked');
done_testing();
