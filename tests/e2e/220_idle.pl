# 220_idle.pl - other databases' WAL does not pile up behind an idle outbox.
#
# Nobody writes to the outbox, while another database of the same server writes a lot.
# The slot follows, without a single write of ours: the confirmed position closely, and
# restart_lsn with the next running-xacts record.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Proc;
use PgOutbox::Streamer;
use PgOutbox::Consumer;
use PgOutbox::Proof qw(result sized);
use PgOutbox::Wait qw(wait_for);
use Test::More;
use Time::HiRes qw(time);

my $megabytes = sized(100, 1024);
my $lag_limit = 32 << 20;
my $snapshot_seconds = 15;    # the background writer's LOG_SNAPSHOT_INTERVAL_MS

my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $kafka = PgOutbox::Kafka->shared;
my $topic = $kafka->create_topic(PgOutbox::Kafka::unique_name('idle'), 1);
my $streamer = PgOutbox::Streamer->new(
	node => $node, kafka => $kafka, slot => 'outbox',
	config => { outbox => { topic => $topic } });
$streamer->start;
$node->safe_psql('postgres', "SELECT outbox.emit('idle', '1', 'e', '1')");
ok($node->wait_confirmed('outbox'), 'one event, then silence');

$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', <<'END');
CREATE TABLE bulk (filling text);
ALTER TABLE bulk ALTER filling SET STORAGE EXTERNAL;
END
my $begin = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');

sub write_other
{
	my ($mb, $pause) = @_;
	return PgOutbox::Proc->start(
		name => 'other',
		cmd => [
			PgOutbox::Env::pgbin() . '/psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->socket_dsn('other'), '-c', <<"END" ]);
DO \$\$
BEGIN
	FOR i IN 1 .. $mb LOOP
		INSERT INTO bulk SELECT repeat('x', 8000) FROM generate_series(1, 127);
		COMMIT;
		PERFORM pg_sleep($pause);
	END LOOP;
END \$\$
END
}

sub lag
{
	return $node->safe_psql('postgres', <<'END');
SELECT pg_current_wal_flush_lsn() - confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'outbox'
END
}

# --- as fast as it can

my $started = time;
my $writer = write_other($megabytes, 0);
my $worst_fast = 0;
wait_for(
	sub {
		my $lag = lag();
		$worst_fast = $lag if $lag > $worst_fast;
		return !$writer->alive;
	},
	600,
	step => 0.1);
is($writer->exit_code, 0, "$megabytes MB written elsewhere");
my $written = $node->safe_psql('postgres', "SELECT pg_current_wal_insert_lsn() - '$begin'");
cmp_ok($written, '>', $megabytes << 20, "$written octets of WAL");
my $end = $node->safe_psql('postgres', 'SELECT pg_current_wal_flush_lsn()');
my $since = time;
ok(wait_for(sub { lag() < $lag_limit }, 30), 'caught up');
my $caught_up = time - $since;

# --- restart_lsn: with the next running-xacts record

ok($node->wait_until(
		"SELECT restart_lsn >= '$end' FROM pg_replication_slots WHERE slot_name = 'outbox'",
		$snapshot_seconds + 5),
	'restart_lsn follows within one running-xacts interval');
my $restart = time - $since;

# --- and stays close while more is written at a moderate pace

$writer = write_other(int($megabytes / 5), 0.1);
my ($worst, $samples) = (0, 0);
wait_for(
	sub {
		my $lag = lag();
		$worst = $lag if $lag > $worst;
		$samples++;
		return !$writer->alive;
	},
	600,
	step => 0.02);
is($writer->exit_code, 0, 'more is written');
cmp_ok($worst, '<', $lag_limit, sprintf 'confirmed lag at most %.1f MB in %d samples', $worst / (1 << 20), $samples);

# --- without an event or a write of ours

is($kafka->messages_in($topic), 1, 'no message');
is($node->safe_psql('postgres', 'SELECT count(*) FROM outbox.event'), 1, 'no row');
$node->safe_psql('postgres', "SELECT outbox.emit('idle', '1', 'e', '2')");
ok(wait_for(sub { $kafka->messages_in($topic) == 2 }, 10), 'the next event arrives');
is($streamer->stop, 0, 'stops when asked');

result(
	'idle',
	{
		wal_mb => sprintf('%.0f', $written / (1 << 20)) + 0,
		worst_lag_at_full_speed_mb => sprintf('%.1f', $worst_fast / (1 << 20)) + 0,
		seconds_to_catch_up => sprintf('%.1f', $caught_up) + 0,
		worst_lag_once_caught_up_mb => sprintf('%.1f', $worst / (1 << 20)) + 0,
		seconds_to_restart_lsn => sprintf('%.1f', $restart) + 0
	},
	what => 'WAL written by another database of the server beside an idle outbox'
);
done_testing();
