# 120_shards.pl - n streamers with a slot each share the events by their keys.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Consumer;
use Test::More;

my $shards = 3;
my $keys = 40;
my $turns = 5;

my $node = PgOutbox::Node->ready('main');
my $kafka = PgOutbox::Kafka->shared;
my $topic = $kafka->create_topic(PgOutbox::Kafka::unique_name('shards'), 4);
$node->create_slot("shard$_") foreach 0 .. $shards - 1;

# in one transaction: every shard has a part of it; and an event without a key
$node->safe_psql('postgres', <<"END");
BEGIN;
SELECT outbox.emit('t', 'key-' || k, 'turn', to_jsonb(turn), topic => '$topic')
	FROM generate_series(1, $turns) turn, generate_series(1, $keys) k ORDER BY turn, k;
SELECT outbox.emit('t', 'other', 'by key', '0', key => 'key-1', topic => '$topic');
COMMIT;
END
my $total = $turns * $keys + 1;

my @streamers = map {
	PgOutbox::Streamer->new(
		node => $node, kafka => $kafka, slot => "shard$_", name => "streamer$_",
		config => { outbox => { shard => "$_/$shards" } })
} 0 .. $shards - 1;

my (%owner, %turns, @counts);
my $consumer = PgOutbox::Consumer->start($kafka, $topic);
my $before = 0;
foreach my $i (0 .. $shards - 1)
{
	$streamers[$i]->start;
	ok($node->wait_confirmed("shard$i"), "shard $i: everything confirmed");
	my $now = $kafka->messages_in($topic);
	is($consumer->wait_count($now, 20), $now, "shard $i: its events arrive");
	my @new = ($consumer->messages)[ $before .. $now - 1 ];
	foreach my $m (@new)
	{
		push @{ $owner{ $m->{key} }{$i} }, $m;
		push @{ $turns{ $m->{key} } }, $m->{value};
	}
	push @counts, scalar @new;
	$before = $now;
}
is($before, $total, 'together they have each event once');
is(scalar(grep { $_ == 0 } @counts), 0, "each has some (@counts)");
is(scalar(grep { keys %$_ > 1 } values %owner), 0, 'no key is in two shards');
is(join(' ', @{ $turns{'key-1'} }), join(' ', 1 .. $turns, 0), "a row's own key decides, in commit order");
is( scalar(grep { join(' ', @{ $turns{"key-$_"} }) ne join(' ', 1 .. $turns) } 2 .. $keys),
	0, 'all keys are in order');

is($_->stop, 0, 'asked to stop') foreach @streamers;

my ($code, undef, $err) = PgOutbox::Streamer->new(
	node => $node, kafka => $kafka, slot => 'shard0', config => { outbox => { shard => '3/3' } })->run('stream');
is($code, 1, 'a shard that is not there: exit status 1');
like($err, qr/^outbox-streamer: error\[config-value\]: .*shard.*; hint: /, 'with a reason and a hint');

$node->stop('fast');
done_testing();
