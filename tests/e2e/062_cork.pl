# 062_cork.pl - what the plugin holds back in a backlog always goes, and in order.
#
# Small messages leave together while there is more WAL to read.  Nothing may stay
# behind when there is no more, however the WAL ends; nor while a large transaction of
# others is decoded.  What leaves is octet by octet what leaves without.
#
# brief: majors
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Proof;
use PgOutbox::Recvlogical;
use PgOutbox::Streamer;
use PgOutbox::Wait qw(wait_for);
use Test::More;

my $rounds = 60;
my $foreign = 400_000;

PgOutbox::Proof::seed();
my $node = PgOutbox::Node->new('main');
$node->init(conf => <<'END');
max_prepared_transactions = 5
# nothing of its own may come to the help of what was left behind
autovacuum = off
bgwriter_delay = 10s
checkpoint_timeout = 1h
END
$node->start;
$node->safe_psql('postgres', <<'END');
CREATE SCHEMA outbox;
CREATE TABLE outbox.event (id int, aggregatetype text, aggregateid text, payload text);
CREATE TABLE noise (i int);
CREATE PROCEDURE backlog(first int, last int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN first .. last LOOP
		INSERT INTO outbox.event VALUES (i, 'order', (i % 7)::text, repeat('x', i % 400));
		COMMIT;
	END LOOP;
END $$;
END
$node->create_slot($_) foreach qw(on off live);

sub sql { return $node->safe_psql('postgres', $_[0]); }
sub insert { return "INSERT INTO outbox.event VALUES ($_[0], 'order', '1', 'x')"; }

# --- the same octets; the client ends the stream and is answered

{
	sql('CALL backlog(1, 5000); CREATE TABLE ends (i int)');
	my $end = sql('SELECT pg_current_wal_flush_lsn()');
	my %text;
	foreach my $cork (qw(on off))
	{
		my $reader = PgOutbox::Recvlogical->launch($node, $cork, 'reader', [ "--endpos=$end" ], "cork=$cork");
		is($reader->wait_exit(60), 0, "cork=$cork: the stream ends at its end");
		$text{$cork} = $reader->text;
	}
	is(scalar(() = $text{on} =~ /^\{"begin"/mg), 5000, 'all transactions');
	ok($text{on} eq $text{off}, 'octet by octet as without');
}

# --- nothing stays behind, however the WAL ends

my $reader = PgOutbox::Recvlogical->start($node, 'live', 'reader');
{
	my $late = 0;
	my $id = 10_000;
	foreach my $round (1 .. $rounds)
	{
		my @tail = map { "SELECT pg_logical_emit_message(false, 'tail', repeat('x', " . int(rand 9000) . '))' } 1 .. int(rand 4);
		my $last = $id += 1 + int(rand 5);
		sql(join ';', (map { insert($_) } $last - 1 .. $last), @tail);
		wait_for(sub { $reader->sees($last) }, 5) or $late++;
		last if $late > 2;
	}
	is($late, 0, "$rounds ends of the WAL, each at another place: the last event came");
}

# --- a large transaction of others right behind it

{
	$node->create_slot('behind');
	sql("BEGIN; INSERT INTO noise SELECT generate_series(1, $foreign); PREPARE TRANSACTION 'noise'");
	sql(insert(20_000) . "; COMMIT PREPARED 'noise'; " . insert(20_001));
	my $behind = PgOutbox::Recvlogical->start($node, 'behind', 'reader');
	my $alone = 0;
	ok(wait_for(sub {
		my $text = $behind->text;
		my $second = $text =~ /"id":"20001"/;
		$alone++ if !$second && $text =~ /"id":"20000"/;
		return $second;
	}, 60, step => 0.005), 'the event behind a large transaction of others comes');
	cmp_ok($alone, '>', 0, "the one before it didn't wait for that to be decoded");
	$behind->stop;
}

# --- an error within the stream reaches the client

{
	my $pid = $node->walsender_pid('live');
	sql("SELECT pg_cancel_backend($pid)");
	ok($reader->wait_for_log(qr/canceling statement due to user request/, 0, 10), 'a cancelled walsender says so');
	ok(defined $reader->wait_exit(10), 'and its reader ends');
}

# --- the streamer can do without

foreach my $cork (qw(on off))
{
	my $streamer = PgOutbox::Streamer->new(node => $node, slot => $cork,
		config => { sink => { type => 'stdout' }, outbox => { cork => $cork } });
	$streamer->start;
	$streamer->wait_for_log(qr/streaming from slot/, 20) or die 'no start';
	my $command = sql("SELECT query FROM pg_stat_activity WHERE pid = " . $node->walsender_pid($cork));
	($cork eq 'off' ? \&like : \&unlike)->($command, qr/"?cork"? 'off'/, "outbox.cork = $cork: the plugin is told what isn't the default");
	is($streamer->stop, 0, "outbox.cork = $cork: asked to stop");
}

done_testing();
