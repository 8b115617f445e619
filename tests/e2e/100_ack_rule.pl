# 100_ack_rule.pl - what the broker has not acknowledged is never confirmed, nor forgotten.
#
# The broker is stopped with SIGSTOP, so that events are sent and not acknowledged for
# as long as a case needs.  Each case is a few seconds; together they catch a streamer
# that acknowledges on receipt, that ignores delivery errors, or that sends everything
# again after a mere reconnect to PostgreSQL.
#
# brief: majors
# brief: sanitize
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Consumer;
use PgOutbox::Wait qw(wait_for);
use Test::More;

my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $kafka = PgOutbox::Kafka->new(properties => { 'auto.create.topics.enable' => 'false' })->start;
my $topic = $kafka->create_topic('events', 4);
my $small = $kafka->create_topic('small', 1, 'max.message.bytes' => 2000);
my $streamer = PgOutbox::Streamer->new(
	node => $node,
	kafka => $kafka,
	slot => 'outbox',
	config => {
		postgres => { status_interval => '100ms' },
		outbox => { topic => '${aggregatetype}', max_inflight_events => 500 }
	});
$streamer->start;
my $consumer = PgOutbox::Consumer->start($kafka, $topic, $small);

sub emit
{
	my ($name, $first, $last) = @_;
	return "SELECT outbox.emit('events', (i % 5)::text, 'e', to_jsonb('$name ' || i)) FROM generate_series($first, $last) i";
}

# arrived(NAME): how often each of these events has come
sub arrived
{
	my ($name) = @_;
	my %count;
	foreach my $m ($consumer->messages)
	{
		$count{$1}++ if $m->{value} =~ /^"\Q$name\E (\d+)"$/;
	}
	return \%count;
}

sub wal_end { return $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()'); }

# waits until the streamer has been given everything up to now, and has sent its
# position twice since
sub given
{
	my ($stuck) = @_;
	my $lsn = wal_end();
	# backpressure: what is behind the limit stays with the server
	$stuck
	  or $node->wait_until("SELECT sent_lsn >= '$lsn' FROM pg_stat_replication WHERE application_name = 'outbox-streamer'")
	  or die 'not sent';
	foreach (1 .. 2)
	{
		my $then = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
		$node->wait_until("SELECT reply_time > '$then' FROM pg_stat_replication WHERE application_name = 'outbox-streamer'")
		  or die 'no status update';
	}
	return;
}

# the end of the first commit of a case is what may not be reached; anything before
# it may be confirmed, since it holds no event
sub confirmed_below
{
	my ($lsn) = @_;
	return $node->safe_psql('postgres',
		"SELECT confirmed_flush_lsn < '$lsn' FROM pg_replication_slots WHERE slot_name = 'outbox'") eq 't';
}

$node->safe_psql('postgres', emit('start', 1, 20));
is($consumer->wait_count(20, 30), 20, 'it works');
ok($node->wait_confirmed('outbox'), 'and is confirmed');

# --- acknowledged, not received

{
	$kafka->pause;
	$node->safe_psql('postgres', emit('sent', 1, 2));
	my $first = wal_end();
	$node->safe_psql('postgres', emit('sent', $_, $_ + 1)) foreach 3, 5, 7;
	$node->safe_psql('postgres', 'CREATE TABLE noise AS SELECT generate_series(1, 10000)');
	given();
	ok(confirmed_below($first), 'sent, but not acknowledged: not confirmed');
	$streamer->kill9;
	$kafka->resume;
	$node->wait_until("SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'outbox'") or die;
	ok(confirmed_below($first), 'killed: still not confirmed');
	$streamer->start;
	ok($node->wait_confirmed('outbox'), 'started again: confirmed');
	wait_for(sub { keys %{ arrived('sent') } >= 8 }, 20);    # the consumer may be a moment behind
	is(join(' ', sort keys %{ arrived('sent') }), '1 2 3 4 5 6 7 8', 'and there');
}

# --- a reconnect repeats nothing

sub cut
{
	my ($name) = @_;
	my $pid = $node->walsender_pid('outbox');
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	ok($node->wait_until("SELECT active_pid <> $pid FROM pg_replication_slots WHERE slot_name = 'outbox'"), "$name: connected again");
	return;
}

sub once
{
	my ($name, $n) = @_;
	wait_for(sub { keys %{ arrived($name) } >= $n }, 30);
	ok($node->wait_confirmed('outbox'), "$name: confirmed");
	# a second one may be the last to come
	my $there = $kafka->messages_in($topic) + $kafka->messages_in($small);
	wait_for(sub { $consumer->count >= $there }, 20);
	my $count = arrived($name);
	is(scalar keys %$count, $n, "$name: all there");
	is(scalar(grep { $_ > 1 } values %$count), 0, "$name: none twice");
	return;
}

{
	$kafka->pause;
	$node->safe_psql('postgres', emit('reconnect', 1, 10));
	my $first = wal_end();
	$node->safe_psql('postgres', emit('reconnect', $_, $_ + 9)) foreach 11, 21;
	given();
	cut('reconnect');
	$node->safe_psql('postgres', emit('reconnect', 31, 40));
	given();
	ok(confirmed_below($first), 'reconnect: nothing is confirmed');
	$kafka->resume;
	once('reconnect', 40);
}

# in the middle of a transaction, at the in-flight limit, and again
{
	$kafka->pause;
	$node->safe_psql('postgres', emit('middle', 1, 3000));
	my $first = wal_end();
	$node->safe_psql('postgres', emit('middle', 3001, 3100));
	given(1);
	cut('middle');
	given(1);
	cut('middle');
	ok(confirmed_below($first), 'middle: nothing is confirmed');
	$kafka->resume;
	once('middle', 3100);
}

# --- an error is no acknowledgement

{
	$node->safe_psql('postgres', emit('before', 1, 10));
	ok($node->wait_confirmed('outbox'), 'error: what came before is confirmed');
	$node->safe_psql('postgres', <<'END');
SELECT outbox.emit('small', '1', 'e', to_jsonb((SELECT string_agg(md5(i::text), '') FROM generate_series(1, 200) i)))
END
	my $first = wal_end();
	$node->safe_psql('postgres', emit('after', 1, 10));
	is($streamer->wait_exit(30), 3, 'error: exit status 3');
	ok(confirmed_below($first), 'error: the refused event is not confirmed');
	$kafka->alter_topic($small, 'max.message.bytes' => 100000);
	$streamer->start;
	once('after', 10);
	is($kafka->messages_in($small), 1, 'error: the event arrives once the broker takes it');
}

is($streamer->stop, 0, 'stops when asked');
done_testing();
