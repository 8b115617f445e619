# 133_parked_keys.pl - many parked keys: what a start takes, in time and memory.
#
# The table is filled beside the streamer, which reads it when it takes the slot; then
# one more key waits as it did before, other events flow, and metrics come by an index.
#
# runs alone
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Http;
use PgOutbox::Proof qw(result sized);
use PgOutbox::Wait qw(wait_for);
use Test::More;
use Time::HiRes qw(time);

my $keys = sized(300_000, 1_000_000);
my $seconds = sized(15, 45);    # some 3 on an idle machine, at full size

# a set of so many keys, and the one that it grows from
my $most_kib = 40 * 1024 + $keys * 128 / 1024;

my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $kafka = PgOutbox::Kafka->shared;
my $topic = $kafka->create_topic(PgOutbox::Kafka::unique_name('parked'), 2);
my $http = PgOutbox::Http->new;
my $streamer = PgOutbox::Streamer->new(
	node => $node, kafka => $kafka, slot => 'outbox',
	config => { outbox => { on_undeliverable => 'dead-letter', max_parked_keys => $keys + 1 }, http => { listen => $http->listen } });

sub sql { return $node->safe_psql('postgres', join "\n", @_); }

# one that waits in earnest
$streamer->start;
sql("SELECT outbox.emit('load', 'k', 'e', '1', topic => 'no-such-topic-$_')") foreach 1 .. 2;
ok($node->wait_confirmed('outbox'), 'two keys wait');
is($streamer->stop, 0, 'stopped');
is(sql("DELETE FROM outbox.dead_letter WHERE topic = 'no-such-topic-2' RETURNING code"), 'topic-unknown', 'one of them has gone');

sql("INSERT INTO outbox.dead_letter (slot, position, lsn, queue, code, reason, parked_at, committed_at, complete, topic, key, payload) "
	  . "SELECT 'outbox', '00000001/0000000000000001/' || lpad(upper(to_hex(i)), 8, '0'), '0/1', hashint8extended(i, 7), 'topic-unknown', 'r', "
	  . "clock_timestamp() - interval '1 hour' - i * interval '1 ms', now(), true, 'elsewhere', 'key ' || i, convert_to(repeat('x', 200), 'UTF8') "
	  . "FROM generate_series(1, " . ($keys - 1) . ") i");
is(sql("SELECT count(DISTINCT queue) FROM outbox.dead_letter"), $keys, "$keys keys wait");
my $scans = sql("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'dead_letter_oldest'");

my $begun = time;
$streamer->start;
sql("SELECT outbox.emit('load', 'k', 'e', '2', topic => 'no-such-topic-1');", "SELECT outbox.emit('load', 'k', 'e', '2', topic => '$topic')");
ok(wait_for(sub { $kafka->messages_in($topic) == 1 }, 60, step => 0.05), 'an event of another key arrives') or diag($streamer->log_text);
my $took = time - $begun;
cmp_ok($took, '<', $seconds, sprintf '%.1f s after the start', $took);
ok($node->wait_confirmed('outbox'), 'all is confirmed');
is(sql("SELECT string_agg(state, ' ' ORDER BY position) FROM outbox.dead_letter WHERE topic = 'no-such-topic-1'"), 'parked queued', 'a key that waited still does');
my $peak = $streamer->peak_rss_kib;
cmp_ok($peak, '<', $most_kib, sprintf '%d MiB at most', $peak / 1024);

ok(wait_for(sub { ($http->metrics->{outbox_streamer_dead_letter_oldest_age_seconds} // 0) > 3600 }, 20), 'metrics: how long the oldest has waited');
is($http->metrics->{outbox_streamer_parked_keys}, $keys, 'metrics: how many keys wait');
ok($node->wait_until("SELECT idx_scan > $scans FROM pg_stat_user_indexes WHERE indexrelname = 'dead_letter_oldest'"), 'metrics: by the index');
is($streamer->stop, 0, 'stops when asked');

result('parked-keys', { keys => $keys + 0, start_seconds => sprintf('%.1f', $took) + 0, peak_rss_mib => int($peak / 1024) },
	what => 'the streamer starts with so many keys that have dead letters: until an event of another key has arrived, and its peak memory');
done_testing();
