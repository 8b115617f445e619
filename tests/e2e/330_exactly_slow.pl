# 330_exactly_slow.pl - a transaction that takes longer than a Kafka transaction may.
#
# The coordinator aborts it and fences the producer, which looks like a takeover.  It is
# tried once more, and then refused as data; what came before it is committed.
#
# runs alone
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Consumer;
use Test::More;

my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $kafka = PgOutbox::Kafka->new(
	properties => {
		'auto.create.topics.enable' => 'false',
		# how often the coordinator looks
		'transaction.abort.timed.out.transaction.cleanup.interval.ms' => 100
	})->start;
my $topic = $kafka->create_topic('slow', 2);
my $streamer = PgOutbox::Streamer->new(
	node => $node,
	kafka => $kafka,
	slot => 'outbox',
	config => {
		outbox => { delivery => 'exactly-once', topic => $topic },
		kafka => { 'transaction.timeout.ms' => 1000 }
	});

sub emit
{
	my ($name, $n) = @_;
	$node->safe_psql('postgres', <<"END");
INSERT INTO outbox.event (aggregatetype, aggregateid, type, payload)
SELECT 'slow', (i % 50)::text, 'e', jsonb_build_object('name', '$name', 'n', i, 'fill', repeat('x', 200))
FROM generate_series(1, $n) i
END
	return;
}

sub arrived
{
	my %count;
	foreach my $m (PgOutbox::Consumer->all($kafka, $topic))
	{
		my ($name) = $m->{value} =~ /"name": "(\w+)"/;
		$count{$name}++;
	}
	return join ' ', map { "$_:$count{$_}" } sort keys %count;
}

emit('before', 3) foreach 1 .. 3;
emit('large', 400_000);
emit('after', 2);
$streamer->start;
is($streamer->wait_exit(120), 3, 'refused: exit status 3') or note($streamer->log_text);
like($streamer->log_text, qr/error\[transaction-too-slow\].*; hint: raise/, 'with its reason and a hint');
is(arrived(), 'before:9', 'what came before it is committed, once');

$streamer->configure({ kafka => { 'transaction.timeout.ms' => 60000 } });
$streamer->start;
ok($node->wait_confirmed('outbox', undef, 120), 'with more time it passes');
is(arrived(), 'after:2 before:9 large:400000', 'all of it, once');
is($streamer->stop, 0, 'stops when asked');
done_testing();
