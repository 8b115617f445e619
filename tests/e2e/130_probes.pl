# 130_probes.pl - what probes and metrics say while the streamer runs, waits, stands by
# and drains, held against what is known from the database and the broker.
#
# brief: sanitize
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Http;
use PgOutbox::Kafka;
use PgOutbox::Prometheus;
use PgOutbox::Streamer;
use PgOutbox::Wait qw(wait_for);
use Test::More;
use Time::HiRes qw(time);

my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $kafka = PgOutbox::Kafka->new->start;
my $topic = $kafka->create_topic('orders', 3);
my $http = PgOutbox::Http->new;
my $streamer = PgOutbox::Streamer->new(
	name => 'first', node => $node, kafka => $kafka, slot => 'outbox',
	config => { outbox => { topic => $topic, drain_timeout => '20s' }, http => { listen => $http->listen } });

# emit(N): N events in a transaction, with payloads of a known size
sub emit
{
	my ($n) = @_;
	$node->safe_psql('postgres', "SELECT outbox.emit('order', 'key', 'e', '\"12345678\"') FROM generate_series(1, $n)");
	return;
}

# now_is(METRIC, VALUE, NAME): it becomes that soon
sub now_is
{
	my ($metric, $value, $name) = @_;
	my $got;
	ok(wait_for(sub { $got = $http->metrics->{$metric}; defined $got && $got == $value }, 10), $name)
	  or diag("$metric: ", $got // 'not there', ", expected $value");
	return;
}

# --- streaming

$streamer->start;
is($http->wait_status('/readyz', 200), "streaming\n", 'ready: it streams');
is(join(' ', ($http->get('/livez'))[ 0, 1 ]), "200 ok\n", 'alive');
is($http->state, 'streaming', 'one state');
emit(5);
emit(1) foreach 1 .. 3;
ok($node->wait_confirmed('outbox'), 'all is confirmed');
now_is('outbox_streamer_events_acknowledged_total', 8, 'events acknowledged');
my $m = $http->metrics;
is($m->{'outbox_streamer_events_received_total'}, 8, 'received');
is($m->{'outbox_streamer_events_produced_total'}, 8, 'produced');
is($m->{'outbox_streamer_produced_bytes_total'}, 8 * (length('key') + length('"12345678"')), 'octets');
is($m->{'outbox_streamer_transactions_received_total'}, 4, 'transactions received');
is($m->{'outbox_streamer_transactions_acknowledged_total'}, 4, 'and acknowledged');
is($m->{'outbox_streamer_commit_to_ack_seconds_count'}, 4, 'each has a latency');
is($m->{'outbox_streamer_commit_to_ack_seconds_bucket{le="+Inf"}'}, 4, 'in a bucket');
my $sum = $m->{'outbox_streamer_commit_to_ack_seconds_sum'};
ok($sum > 0 && $sum < 20, "a plausible one ($sum s)");
is($m->{"outbox_streamer_inflight_$_"}, 0, "nothing in flight: $_") foreach qw(transactions events bytes);
is($m->{'outbox_streamer_lag_seconds'}, '0.000', 'no lag');
is($m->{'outbox_streamer_lag_bytes'}, 0, 'in octets neither');
cmp_ok(time - $m->{'outbox_streamer_last_confirmation_timestamp_seconds'}, '<', 15, 'confirmed just now');
cmp_ok(abs(time - $m->{'process_start_time_seconds'}), '<', 60, 'started just now');
cmp_ok($m->{'process_resident_memory_bytes'}, '>', 1 << 20, 'it has memory');
is($m->{'outbox_streamer_build_info{version="1.0",librdkafka="' . ($http->text =~ /librdkafka="([^"]+)"/ ? $1 : '') . '"}'}, 1, 'build');
is($m->{'outbox_streamer_stream_info{slot="outbox",shard="0/1",delivery="at-least-once",sink="kafka"}'}, 1, 'stream');
my ($status, $body, $headers) = $http->get('/metrics');
is($headers->{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', 'content type of the format');
SKIP:
{
	my $promtool = PgOutbox::Prometheus::promtool() or skip('promtool is not installed', 1);
	my $file = PgOutbox::Env::testdir() . '/metrics.txt';
	open my $fh, '>', $file or die "$file: $!";
	print $fh $body;
	close $fh;
	my $out = qx{"$promtool" check metrics <"$file" 2>&1};
	ok($? == 0 && $out eq '', 'promtool check metrics') or diag($out);
}

# --- a standby

my $second_http = PgOutbox::Http->new;
my $second = PgOutbox::Streamer->new(
	name => 'second', node => $node, kafka => $kafka, slot => 'outbox',
	config => { outbox => { topic => $topic }, http => { listen => $second_http->listen } });
$second->start;
ok($second->wait_for_log(qr/standing by/, 20), 'second instance: stands by');
is(join(' ', ($second_http->get('/readyz'))[ 0, 1 ]), "503 standby\n", 'not ready, and says why');
is(join(' ', ($second_http->get('/readyz?standby=ok'))[ 0, 1 ]), "200 standby\n", 'ready for who wants no more of it');
is(($second_http->get('/readyz?standby=no'))[0], 503, 'but not for others');
is(($second_http->get('/livez'))[0], 200, 'alive');
is($second_http->state, 'standby', 'state');
$m = $second_http->metrics;
ok(!exists $m->{$_}, "$_: nothing to say") foreach qw(outbox_streamer_lag_bytes outbox_streamer_last_confirmation_timestamp_seconds);
is($m->{'outbox_streamer_postgres_errors_total{class="retry"}'}, 0, 'a slot in use is no error');
is($second->stop, 0, 'second instance: stops');

# --- the broker is away while nothing is to be sent, and comes back

$kafka->kill9;
like($http->wait_status('/readyz', 503), qr/^streaming: no Kafka broker answers$/, 'broker away, idle: not ready');
is(($http->get('/livez'))[0], 200, 'but alive');
is($http->metrics->{'outbox_streamer_ready'}, 0, 'the metric agrees');
is($http->metrics->{'outbox_streamer_kafka_outages_total'}, 1, 'an outage');
$kafka->start;
is($http->wait_status('/readyz', 200), "streaming\n", 'back, still idle: ready again');
ok($streamer->wait_for_log(qr/brokers answer again/, 5), 'and the log says so');
is($http->metrics->{'outbox_streamer_events_produced_total'}, 8, 'without a message');

# --- away while events wait

my $offset = -s $streamer->log;
$kafka->kill9;
$streamer->wait_for_log(qr/warning\[kafka-unreachable\]: no Kafka broker answers; waiting: \S.*; hint: \S/, 20, $offset) or die 'not noticed';
emit(7);
now_is('outbox_streamer_inflight_events', 7, 'broker away: seven events in flight');
$m = $http->metrics;
is($m->{'outbox_streamer_inflight_transactions'}, 1, 'of one transaction');
cmp_ok($m->{'outbox_streamer_inflight_bytes'}, '>', 7 * 13, 'with their octets');
cmp_ok($m->{'outbox_streamer_lag_bytes'}, '>', 0, 'lag in octets');
ok(wait_for(sub { $http->metrics->{'outbox_streamer_lag_seconds'} > 2 }, 10), 'lag in seconds grows');
my $confirmed = $http->metrics->{'outbox_streamer_last_confirmation_timestamp_seconds'};
is(($http->get('/livez'))[0], 200, 'alive');

# --- and asked to stop meanwhile: draining

$streamer->signal('TERM');
is($http->wait_status('/readyz', 503), "draining\n", 'asked to stop: draining');
is($http->state, 'draining', 'state');
is($http->metrics->{'outbox_streamer_last_confirmation_timestamp_seconds'}, $confirmed, 'nothing was confirmed meanwhile');
$kafka->start;
is($streamer->wait_exit(30), 0, 'it ends once the events are acknowledged');
is($kafka->messages_in($topic), 15, 'all have arrived');

# --- PostgreSQL is away

$streamer->start;
$http->wait_status('/readyz', 200) or die $streamer->log_text;
$node->stop('immediate');
like($http->wait_status('/readyz', 503), qr/^connecting: [a-z]+-[a-z-]+$/, 'PostgreSQL away: not ready, with the code');
is(($http->get('/livez'))[0], 200, 'alive');
is($http->state, 'connecting', 'state');
cmp_ok($http->metrics->{'outbox_streamer_postgres_errors_total{class="retry"}'}, '>', 0, 'errors are counted');
$node->start;
is($http->wait_status('/readyz', 200), "streaming\n", 'back: ready');
is($http->metrics->{'outbox_streamer_postgres_starts_total'}, 2, 'two starts');

# --- wedged: whoever asks gets no answer

$streamer->pause;
is(($http->get('/livez', timeout => 2))[0], 599, 'a loop that stands still is not alive');
$streamer->resume;
is(($http->get('/livez'))[0], 200, 'it goes on');

# --- exactly once: acknowledged is what is committed

is($streamer->stop, 0, 'stopped');
$streamer->configure({ outbox => { delivery => 'exactly-once' } });
$streamer->start;
is($http->wait_status('/readyz', 200), "streaming\n", 'exactly-once: ready');
emit(6);
now_is('outbox_streamer_events_acknowledged_total', 6, 'exactly-once: events acknowledged');
$m = $http->metrics;
is($m->{'outbox_streamer_transactions_acknowledged_total'}, 1, 'exactly-once: the transaction');
cmp_ok($m->{'outbox_streamer_kafka_transactions_total{result="committed"}'}, '>=', 1, 'exactly-once: committed');
is($m->{'outbox_streamer_kafka_transactions_total{result="aborted"}'}, 0, 'exactly-once: none aborted');
is($m->{'outbox_streamer_kafka_producers_total'}, 1, 'exactly-once: one producer');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'outbox'");
now_is('outbox_streamer_postgres_starts_total', 2, 'exactly-once: connection lost, started again');
now_is('outbox_streamer_kafka_producers_total', 2, 'exactly-once: with another producer');
is($streamer->stop, 0, 'stopped');
done_testing();
