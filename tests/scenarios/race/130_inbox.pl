# 130_inbox.pl - the same with inbox-consumer, which the database stops when it has slept too long.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::Bin;
use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Inbox;
use PgOutbox::Streamer;
use PgOutbox::Wait qw(wait_for);
use Race;
use Test::More;

use constant USERS => 30;

my $kafka = PgOutbox::Kafka->shared;
my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $streamer = PgOutbox::Streamer->new(node => $node, kafka => $kafka, slot => 'outbox');
my $race = Race->new($node, $kafka, 3);

# look, pass the gate, insert or update: as race.c does
$race->sql(<<'END');
CREATE FUNCTION see(event text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	who bigint := event::jsonb ->> 'user_id';
	seen timestamp := event::jsonb ->> 'last_access_time';
	known boolean := EXISTS (SELECT FROM test1 WHERE user_id = who);
BEGIN
	PERFORM pg_advisory_xact_lock_shared(0, who::int);
	IF known THEN
		UPDATE test1 SET last_access_time = seen WHERE user_id = who;
	ELSE
		INSERT INTO test1 (user_id, last_access_time) VALUES (who, seen);
	END IF;
END $$;
END
my @inboxes = map {
	PgOutbox::Inbox->new(
		node => $node, kafka => $kafka, topics => $race->{topic}, consumer => 'race',
		config => { inbox => { sql => 'SELECT see(:payload)' } })
} 1 .. 3;
$streamer->start;

# --- one sleeps between looking and writing, for longer than its session

{
	my ($sleeper, $other) = @inboxes;
	my $at_gate = "SELECT coalesce(min(pid), 0) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted";
	$sleeper->start;
	my $hold = $race->hold(7, 0);
	$race->emit(1, 7);
	$race->wait_at_gate(7, 1);
	my $pid = $race->sql($at_gate);
	$sleeper->signal('STOP');
	$other->start;
	ok(wait_for(sub { $race->sql("$at_gate AND pid <> $pid") }, 60), 'another instance has the event: it looked, too')
	  or note($other->log_text);
	$race->release($hold);
	ok(wait_for(sub { $race->rows == 1 }, 30), 'and has inserted');
	my $offset = -s $sleeper->log;
	$sleeper->signal('CONT');
	ok($sleeper->wait_for_log(qr/\n/, 30, $offset), 'the sleeper wakes up') or note($sleeper->log_text);
	$race->emit(2, 7);
	ok(wait_for(sub { $race->seen('test1', 7) eq Race::clock(2) }, 60), 'the next event is handled');
	is($race->rows, 1, 'one row: what the sleeper was about to write is not there');
}

# --- instances come and go while events flow

{
	my $n = 2;
	my $flows = sub {
		my ($what, $code) = @_;
		$race->moves(sub { $race->emit(++$n, 1 .. USERS) foreach 1 .. 10; }) or die "nothing flows: $what";
		$code->();
		pass($what);
		return;
	};
	$flows->('a third instance joins', sub { $inboxes[2]->start });
	$flows->('one leaves', sub { $inboxes[0]->stop });
	$flows->('one is killed, and one joins', sub { $inboxes[1]->kill9; $inboxes[0]->start });
	$flows->('the streamer is killed', sub { $streamer->kill9; $streamer->start });
	ok(wait_for(sub { $race->behind($n, USERS) == 0 }, 120), 'every row says what the last event said')
	  or note(map { $_->log_text } @inboxes);
	is($race->duplicates, 0, 'no user has two rows');
	is($race->rows, USERS, 'each has one');
	is($race->sql("SELECT count(*) FROM outbox.inbox WHERE consumer = 'race'"), $race->sql('SELECT count(*) FROM outbox.event'),
		'each event was applied once');
}
is($_->stop, 0, 'an instance stops when asked') foreach @inboxes[ 0, 2 ];
is($streamer->stop, 0, 'and the streamer');
done_testing();
