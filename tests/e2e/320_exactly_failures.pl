# 320_exactly_failures.pl - exactly once, whatever stops or differs.
#
# Servers that stop, die or fall silent in the middle of a commit; a slot that stands
# elsewhere than the progress in Kafka says; data that is refused.  After each the
# same count: nothing lost, repeated, reordered or there in part.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Consumer;
use PgOutbox::Exact;
use PgOutbox::Wait qw(wait_for);
use Test::More;
use Time::HiRes qw(time);

my $node = PgOutbox::Node->ready('main', slot => 'outbox', conf => 'wal_sender_timeout = 4s');
my $kafka = PgOutbox::Kafka->new(properties => { 'auto.create.topics.enable' => 'false' })->start;
my @topics = map { $kafka->create_topic("exact$_", 2) } 1 .. 2;
my $small = $kafka->create_topic('small', 1, 'max.message.bytes' => 2000);
my $exact = PgOutbox::Exact->new($node, $kafka, topics => \@topics, rows => 50);
my $streamer = PgOutbox::Streamer->new(
	node => $node,
	kafka => $kafka,
	slot => 'outbox',
	config => { outbox => { delivery => 'exactly-once', max_transaction_events => 1000 } });

sub wal_end { return $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()'); }

sub number
{
	my ($high, $low) = split m{/}, $_[0];
	return hex($high) << 32 | hex $low;
}

# all that was written has arrived, once
sub exactly
{
	my ($name, $from) = @_;
	ok($node->wait_confirmed('outbox', undef, 60), "$name: all is confirmed") or note($streamer->log_text);
	my $count = $exact->count($from);
	is("$count->{lost} $count->{duplicates} $count->{reorderings} $count->{partial} $count->{foreign}",
		'0 0 0 0 0', "$name: of $count->{committed} lost, twice, out of order, in part, foreign");
	return;
}

sub refuses
{
	my ($name, $status, $code) = @_;
	$streamer->start;
	is($streamer->wait_exit(30), $status, "$name: exit status $status");
	like($streamer->log_text, qr/error\[$code\].*; hint: /, "$name: $code, with a hint");
	note(grep { /error\[/ } split /^/m, $streamer->log_text);
	return;
}

$streamer->start;
$exact->many(1 .. 10);
exactly('start');

# --- the progress comes first, also when nothing of ours happens

my ($progress_topic) = grep { /^outbox\.progress\./ } keys %{ $kafka->topics };
{
	my $progress = PgOutbox::Consumer->start($kafka, $progress_topic);
	my $ahead = 0;
	my $lag = 0;
	foreach my $i (1 .. 3)
	{
		$node->safe_psql('postgres', "CREATE TABLE noise$i AS SELECT repeat('x', 100) FROM generate_series(1, 120000)");
		my $end = wal_end();
		wait_for(
			sub {
				my $confirmed = number($node->slot_lsn('outbox'));
				my $newest;
				# the consumer may be a moment behind
				wait_for(
					sub {
						my ($last) = map { $_->{value} =~ /"lsn":"([^"]+)"/ } ($progress->messages)[-1];
						$newest = number($last // '0/0');
						return $newest >= $confirmed;
					},
					5);
				$ahead++ if $newest < $confirmed;
				$lag = number($end) - $confirmed;
				return $lag < 17_000_000;
			},
			30);
	}
	is($ahead, 0, 'idle: never confirmed what the progress does not cover');
	cmp_ok($lag, '<', 17_000_000, "idle: confirmed lag stays small: $lag");
	$progress->stop;
}

# --- PostgreSQL stops, orderly, and not

sub stops
{
	my ($name) = @_;
	my $started = time;
	$node->stop('fast');
	my $seconds = time - $started;
	cmp_ok($seconds, '<', 10, sprintf '%s: stops in %.1f s', $name, $seconds);
	return;
}

stops('idle server');
$node->start;
$exact->many(1 .. 5);
exactly('after that');

$kafka->pause;
$exact->many(1 .. 20);
stops('a silent broker');
$node->start;
$kafka->resume;
exactly('after that');

$exact->write(events => 3000, rate => 3000);
wait_for(sub { $exact->snapshot->{events} > 1500 }, 30);
$node->stop('immediate');
$node->start;
eval { $exact->wait_written(30) };
$exact->many(3, 4, 5);
exactly('a server that crashed');

# --- the broker falls silent or dies in the middle

{
	my $pid = $node->walsender_pid('outbox');
	$exact->write(events => 3000, rate => 1500);
	my $started = time;
	wait_for(sub { $exact->snapshot->{events} > 2000 }, 30);
	$kafka->pause;
	ok($exact->wait_written(30), 'a silent broker: all is written');
	# longer than wal_sender_timeout; nobody answers but the streamer
	wait_for(sub { time - $started > 9 }, 20, step => 0.2);
	is($node->walsender_pid('outbox'), $pid, 'the walsender is not dropped');
	$kafka->kill9;
	$kafka->start;
	exactly('and then killed');
}

# the coordinator gives a transaction up
$streamer->stop;
$streamer->configure({ kafka => { 'transaction.timeout.ms' => 2000 } });
$streamer->start;
$streamer->wait_for_log(qr/exactly-once: transactional id/);
$exact->many(1 .. 5);
ok($node->wait_confirmed('outbox'), 'confirmed');
{
	$kafka->pause;
	$exact->many(1 .. 20);
	my $started = time;
	wait_for(sub { time - $started > 4 }, 20, step => 0.2);
	$kafka->resume;
	exactly('a broker silent for longer than the transaction may take');
}
is($streamer->stop, 0, 'stops when asked');
$streamer->configure({ kafka => { 'transaction.timeout.ms' => undef } });

# --- data that is refused

{
	$exact->many(1 .. 10);
	my $wanted = $exact->count->{committed};
	$node->safe_psql('postgres', "SELECT outbox.emit('big', '1', 'e', to_jsonb(repeat('x', n)), topic => 'small') FROM (VALUES (10), (5000), (11)) v(n)");
	$exact->many(1 .. 5);
	refuses('a record too large', 3, 'message-too-large');
	my $now = $exact->snapshot;
	is($now->{events}, $wanted, 'everything before it is there, nothing behind it');
	is($now->{duplicates}, 0, 'and once');
	is(scalar(PgOutbox::Consumer->all($kafka, $small)), 0, 'nothing of its transaction');
	$kafka->alter_topic($small, 'max.message.bytes' => 100000);
	$streamer->start;
	exactly('once the topic takes it');
	is(scalar(PgOutbox::Consumer->all($kafka, $small)), 3, 'all of its transaction');
	is($streamer->stop, 0, 'stops when asked');
}
{
	$exact->many(1 .. 10);
	my $wanted = $exact->count->{committed};
	$exact->many(1001, 1, 2);
	refuses('a transaction too large', 3, 'transaction-too-large');
	my $now = $exact->snapshot;
	is($now->{events}, $wanted, 'everything before it is there, nothing of it');
	is($now->{duplicates}, 0, 'and once');
	$streamer->configure({ outbox => { max_transaction_events => 1001 } });
	$streamer->start;
	exactly('once that many are allowed');
	is($streamer->stop, 0, 'stops when asked');
}

# --- the slot stands elsewhere

# ahead
$exact->many(2);
$node->safe_psql('postgres', "SELECT pg_replication_slot_advance('outbox', pg_current_wal_flush_lsn())");
my $lost = $node->safe_psql('postgres', 'SELECT max(t) FROM exact.txn');
refuses('a slot that somebody has advanced', 2, 'progress-behind');

# re-created
$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('outbox')");
$node->create_slot('outbox');
refuses('a slot made anew', 2, 'progress-behind');
$streamer->configure({ outbox => { generation => 2 } });
$streamer->start;
$exact->many(1, 2, 3);
exactly('its next generation', $lost + 1);
is($streamer->stop, 0, 'stops when asked');
$streamer->configure({ outbox => { generation => 1 } });
refuses('an instance with the old generation', 2, 'progress-generation');
$streamer->configure({ outbox => { generation => 2 } });

# a restored copy of the server
$node->stop('fast');
my $copy = $node->data_dir . '.copy';
system('cp', '-a', $node->data_dir, $copy) == 0 or die 'cp';
$node->start;
$streamer->start;
$exact->many(map { 40 } 1 .. 30);
ok($node->wait_confirmed('outbox'), 'confirmed');
is($streamer->stop, 0, 'stops when asked');
$node->stop('immediate');
system('rm', '-rf', $node->data_dir);
rename $copy, $node->data_dir or die;
$node->start;
refuses('a server restored from an older copy', 2, 'progress-ahead');

# the topic
$kafka->alter_topic($progress_topic, 'cleanup.policy' => 'delete');
refuses('a topic that would lose the progress', 1, 'progress-topic');

# a topic that can't be made
$kafka->stop;
$kafka->{properties}{'default.replication.factor'} = 3;
$kafka->start;
$node->create_slot('another');
$streamer->configure({ postgres => { slot => 'another' } });
refuses('a topic that the brokers do not make', 1, 'progress-topic');

done_testing();
