# 310_ahead.pl - events that arrive before their data can be seen, counted by a consumer that looks.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Proc;
use PgOutbox::Streamer;
use PgOutbox::Wait qw(wait_for);
use Test::More;

use constant PAUSES => 10;

my $kafka = PgOutbox::Kafka->shared;
my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $count = 0;

# four sessions that raise the version of an account each, and say so
$node->safe_psql('postgres', <<'END');
CREATE TABLE account (id int PRIMARY KEY, version bigint NOT NULL);
INSERT INTO account SELECT i, 0 FROM generate_series(1, 4) i;
CREATE TABLE control (topic text, go boolean);
INSERT INTO control VALUES ('', true);
CREATE PROCEDURE work(a int, turns int) LANGUAGE plpgsql AS $$
DECLARE
	v bigint;
BEGIN
	FOR i IN 1 .. turns LOOP
		EXIT WHEN NOT (SELECT go FROM control);
		UPDATE account SET version = version + 1 WHERE id = a RETURNING version INTO v;
		PERFORM outbox.emit('account', a::text, 'Changed', jsonb_build_object('account', a, 'version', v),
			topic => control.topic) FROM control;
		COMMIT;
		PERFORM pg_sleep(0.002);
	END LOOP;
END $$;
END

# work(TURNS): these sessions, in the background
sub work
{
	my ($turns) = @_;
	return map {
		PgOutbox::Proc->start(
			name => 'work' . ++$count,
			cmd => [ PgOutbox::Env::pgbin() . '/psql', '-X', '-q', '-d', $node->socket_dsn, '-c', "CALL work($_, $turns)" ])
	} 1 .. 4;
}

# looking(WAIT_VISIBLE, CODE): a streamer and a consumer, while CODE has sessions work; how
# many events the consumer has not looked at, and how many were ahead
sub looking
{
	my ($visible, $code) = @_;
	my $topic = $kafka->create_topic(PgOutbox::Kafka::unique_name('visible'), 3);
	$node->safe_psql('postgres', "UPDATE control SET topic = '$topic', go = true");
	my $streamer = PgOutbox::Streamer->new(
		node => $node, kafka => $kafka, slot => 'outbox',
		config => { outbox => { wait_visible => $visible } });
	$streamer->start;
	$streamer->wait_for_log(qr/streaming from/, 30) or die $streamer->log_text;
	my $out = PgOutbox::Env::testdir() . "/look-$topic";
	my $look = PgOutbox::Proc->start(
		name => "look-$topic",
		stdout => $out,
		cmd => [ PgOutbox::Env::tool('look'), '-b', $kafka->bootstrap, '-i', $topic, '-d', $node->dsn ]);
	my $seen = sub {
		open my $fh, '<', $out or return (0, 0);
		my ($last) = reverse <$fh>;
		close $fh;
		return ($last // '') =~ /^(\d+) (\d+)\n/ ? ($1, $2) : (0, 0);
	};
	my @work = $code->($seen);
	foreach my $work (@work)
	{
		defined $work->wait_exit(120) && $work->exit_code == 0 or die $work->log_text;
	}
	my $events = $node->safe_psql('postgres', "SELECT count(*) FROM outbox.event WHERE topic = '$topic'");
	wait_for(sub { ($seen->())[0] >= $events }, 60) or die 'not all events: ' . $streamer->log_text . $look->log_text;
	$look->stop;
	$streamer->stop;
	my ($looked, $ahead) = $seen->();
	note("wait_visible = $visible: $ahead of $looked events ahead of their data");
	return ($events - $looked, $ahead);
}

# --- a server on its own: how often does it happen?

foreach my $visible (qw(off on))
{
	my ($missed, $ahead) = looking($visible, sub { return work(250) });
	is($missed, 0, "$visible, no standby: every event was looked at");
	is($ahead, 0, 'on, no standby: none was ahead') if $visible eq 'on';
}

# --- commits wait for a standby that is slow

my $standby = $node->synchronous_receiver('slow');

# the standby rests, until UNTIL says that the point is made, PAUSES times
sub slowly
{
	my ($until) = @_;
	my @work = work(100_000);
	foreach my $pause (1 .. PAUSES)
	{
		$standby->signal('STOP');
		$node->wait_until("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'") or die 'no commit waits';
		wait_for($until, 30) or die "nothing to see in pause $pause";
		my $lsn = $node->safe_psql('postgres', 'SELECT pg_current_wal_flush_lsn()');
		$standby->signal('CONT');
		$node->wait_until("SELECT flush_lsn >= '$lsn' FROM pg_stat_replication WHERE application_name = 'slow'")
		  or die 'the standby rests';
	}
	$node->safe_psql('postgres', 'UPDATE control SET go = false');
	return @work;
}

{
	my ($missed, $ahead) = looking(
		'off',
		sub {
			my ($seen) = @_;
			my $then = 0;
			return slowly(sub { my ($events, $more) = $seen->(); return $more > $then && ($then = $more); });
		});
	is($missed, 0, 'off, slow standby: every event was looked at');
	cmp_ok($ahead, '>=', PAUSES, "off, slow standby: $ahead were ahead, at least one in each pause");
}
{
	my $waits = "SELECT count(*) FROM pg_stat_activity a JOIN pg_replication_slots s ON s.active_pid = a.pid "
	  . "WHERE s.slot_name = 'outbox' AND a.wait_event_type = 'Extension'";
	my ($missed, $ahead) = looking('on', sub { return slowly(sub { return $node->safe_psql('postgres', $waits) }); });
	is($missed, 0, 'on, slow standby: every event was looked at');
	is($ahead, 0, 'on, slow standby: none was ahead, the plugin waited in each pause');
}
$standby->stop;
done_testing();
