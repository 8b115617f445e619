# 250_dead_letter_kill.pl - killed again and again: every event is delivered or stored.
#
# Events flow in transactions of 1 to 20 rows; one in a hundred is larger than the topic
# takes, over 50 keys.  First a trickle of events is timed, with a poison message of a new
# key among them every second and a half, and then four in a second, which must not hold
# up the others for a second (measured again if the machine was busy).  Then the streamer is killed with
# SIGKILL every few seconds, while it stores dead letters, and while it sends them once
# the topic takes them.  The source table, the dead letters and an independent consumer
# decide: nothing is lost, nothing is both delivered and stored unless it is being
# redriven, and every key is in the order of its commits.  All of it in both modes.
#
# runs alone
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Env;
use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Consumer;
use PgOutbox::Proc;
use PgOutbox::Proof qw(result seed sized);
use PgOutbox::Wait qw(wait_for);
use Test::More;
use Time::HiRes qw(time);

my $events = sized(6_000, 100_000);
my $kills = sized(2, 15);    # in each of the two phases
my $rate = sized(400, 800);
my $keys = 50;
my $seed = seed();

my $node = PgOutbox::Node->ready('main');
my $kafka = PgOutbox::Kafka->new(heap => '768m')->start;

sub sql { return $node->safe_psql('postgres', join "\n", @_); }

# s: number in its key; a twentieth of all goes to 50 keys, a fifth of that is too large
sql(<<'SQL');
CREATE SCHEMA load;
CREATE TABLE load.written (topic text PRIMARY KEY, n bigint NOT NULL, cap bigint NOT NULL, lsn pg_lsn);
CREATE TABLE load.key (topic text, key text, s bigint NOT NULL, PRIMARY KEY (topic, key)) WITH (fillfactor = 50);
CREATE TABLE load.event (topic text, n bigint, key text, s bigint, large boolean, PRIMARY KEY (topic, n));

-- an event every 20 ms; every so many is too large, some more and some less
CREATE PROCEDURE load.trickle(target text, events int, round int, every int)
LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. events LOOP
		PERFORM outbox.emit('load', CASE WHEN i % every = 0 THEN 'bad' || round || '-' || i ELSE 'good' || i % 10 END, 'e',
			jsonb_build_object('t', floor(extract(epoch FROM clock_timestamp()) * 1000),
				'p', CASE WHEN i % every = 0 THEN (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 800 + floor(random() * 400)::int)) END), topic => target);
		COMMIT;
		PERFORM pg_sleep(0.02);
		COMMIT;
	END LOOP;
END
$$;

CREATE PROCEDURE load.write(events bigint, target text, rate float8, seed float8)
LANGUAGE plpgsql AS $$
DECLARE
	started timestamptz := clock_timestamp();
	made bigint := 0;
	held timestamptz;
	k text;
	number bigint;
	bad boolean;
	late float8;
BEGIN
	PERFORM setseed(seed);
	WHILE made < events LOOP
		held := clock_timestamp();
		WHILE made >= (SELECT cap FROM load.written WHERE topic = target) LOOP
			PERFORM pg_sleep(0.01);
			COMMIT;
		END LOOP;
		started := started + (clock_timestamp() - held);
		FOR i IN 1 .. LEAST(1 + floor(random() * 20), events - made) LOOP
			k := CASE WHEN random() < 0.05 THEN 'bad' || floor(random() * 50) ELSE 'good' || floor(random() * 500) END;
			bad := k LIKE 'bad%' AND random() < 0.2;
			INSERT INTO load.key AS x VALUES (target, k, 1)
			ON CONFLICT (topic, key) DO UPDATE SET s = x.s + 1 RETURNING s INTO number;
			made := made + 1;
			INSERT INTO load.event VALUES (target, made, k, number, bad);
			PERFORM outbox.emit('load', k, 'e', jsonb_build_object('n', made, 's', number,
				'p', CASE WHEN bad THEN (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 800 + floor(random() * 400)::int)) END), topic => target);
		END LOOP;
		UPDATE load.written SET n = made, lsn = pg_current_wal_insert_lsn() WHERE topic = target;
		COMMIT;
		late := made / rate - extract(epoch FROM clock_timestamp() - started);
		IF late > 0 THEN
			PERFORM pg_sleep(late);
			COMMIT;
		END IF;
	END LOOP;
END
$$;
SQL

sub proof
{
	my ($delivery) = @_;
	my $slot = $delivery =~ s/-.*//r;
	my $name = $delivery;
	my $topic = $kafka->create_topic("$slot-load", 4, 'max.message.bytes' => 20_000, 'message.timestamp.type' => 'LogAppendTime');
	$node->create_slot($slot);
	sql("INSERT INTO load.written VALUES ('$topic', 0, 0)");
	my $streamer = PgOutbox::Streamer->new(
		node => $node, kafka => $kafka, slot => $slot,
		# no batch is larger than what the topic takes
		config => { outbox => { delivery => $delivery, on_undeliverable => 'dead-letter' }, kafka => { 'batch.size' => 16_000 } });
	my $consumer = PgOutbox::Consumer->start($kafka, $topic);
	my (%times, %last, $writer, %worst);
	my ($received, $disorder) = (0, 0);
	my $take = sub {
		my ($m) = @_;
		my ($n, $s) = $m->{value} =~ /^(?=.*"n": (\d+))(?=.*"s": (\d+))/s or die "value: $m->{value}";
		$received++;
		return if $times{$n}++;
		$disorder++ if $s != ($last{ $m->{key} } // 0) + 1;
		$last{ $m->{key} } = $s;
	};
	my $poll = sub { $consumer->poll($take) };
	my $catch_up = sub {
		# a Kafka transaction ends with a marker, which the log counts and nobody gets
		my $there = -1;
		wait_for(sub { $poll->(); my $was = $there; $there = $received; return $was == $there }, 60, step => 1);
	};
	my $allow = sub { sql("UPDATE load.written SET cap = $_[0] WHERE topic = '$topic'") };
	my $written = sub { return sql("SELECT n FROM load.written WHERE topic = '$topic'") };
	my $wait_written = sub {
		my ($n) = @_;
		$allow->($n);
		return wait_for(sub { $poll->(); $written->() >= $n || !$writer->alive }, 60 + 5 * $n / $rate, step => 0.05);
	};
	my $confirmed = sub {
		my ($what) = @_;
		ok($node->wait_confirmed($slot, undef, 120), "$name: $what: all is confirmed") or diag($streamer->log_text);
		$catch_up->();
	};
	my @unconfirmed;
	my $kill = sub {
		# somewhere in the two or three seconds that the writer has been allowed
		wait_for(sub { $poll->(); 0 }, $events / 3 / $kills / $rate * (0.2 + rand 0.6), step => 0.05);
		foreach my $try (1 .. 200)
		{
			$streamer->pause;
			last if sql("SELECT lsn > (SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '$slot') FROM load.written WHERE topic = '$topic'") eq 't';
			$streamer->resume;
		}
		push @unconfirmed, sql("SELECT lsn > (SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '$slot') FROM load.written WHERE topic = '$topic'");
		$streamer->kill9;
		$streamer->start;
	};
	# stored(): number => state of its dead letters
	my $stored = sub {
		return map { split /:/ } split /\n/,
		  sql("SELECT substring(convert_from(payload, 'UTF8') FROM '\"n\": (\\d+)') || ':' || state FROM outbox.dead_letter WHERE slot = '$slot'");
	};
	my $judge = sub {
		my ($what) = @_;
		my %stored = $stored->();
		my $total = $written->();
		my (@neither, @both);
		foreach my $n (1 .. $total)
		{
			push @neither, $n if !$times{$n} && !$stored{$n};
			push @both, $n if $times{$n} && $stored{$n} && $stored{$n} ne 'redriving';
		}
		is("@neither[0 .. ($#neither > 9 ? 9 : $#neither)]", '', "$name: $what: each of $total events is delivered or stored");
		is("@both[0 .. ($#both > 9 ? 9 : $#both)]", '', "$name: $what: none is both");
		is($disorder, 0, "$name: $what: every key in the order of its commits");
		return scalar keys %stored;
	};

	# --- a poison message holds nobody up

	$streamer->start;
	$streamer->wait_for_log(qr/streaming from slot/, 20) or die $streamer->log_text;
	foreach my $every (75, 12)
	{
		my $bad = int(400 / $every);
		foreach my $round (1 .. 3)
		{
			my $timed = $kafka->create_topic("$slot-timed-$every-$round", 2, 'max.message.bytes' => 20_000, 'message.timestamp.type' => 'LogAppendTime');
			sql("CALL load.trickle('$timed', 400, $round, $every)");
			$node->wait_until("SELECT count(*) = $bad FROM outbox.dead_letter WHERE slot = '$slot' AND topic = '$timed' AND code = 'message-too-large'", 30) or last;
			$node->wait_confirmed($slot, undef, 30) or last;
			my @ms = map { $_->{timestamp} - ($_->{value} =~ /"t": (\d+)/)[0] } PgOutbox::Consumer->all($kafka, $timed);
			my ($longest) = sort { $b <=> $a } @ms;
			cmp_ok(scalar @ms, '>=', 400 - $bad, "$name: timed: all others have arrived");
			$worst{$every} = $longest if !defined $worst{$every} || $longest < $worst{$every};
			last if $worst{$every} < 1000;
		}
		cmp_ok($worst{$every} // 1e9, '<', 1000, "$name: $bad poison messages in eight seconds held up other keys for " . ($worst{$every} // '-') . ' ms at most')
		  or diag($streamer->log_text);
	}
	sql('SELECT outbox.discard(topic => topic) FROM (SELECT DISTINCT topic FROM outbox.dead_letter) t');
	$node->wait_until('SELECT count(*) = 0 FROM outbox.dead_letter', 30) or die 'not discarded';

	# --- nobody is killed

	$writer = PgOutbox::Proc->start(
		name => "writer-$slot",
		cmd => [ PgOutbox::Env::pgbin() . '/psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->socket_dsn, '-c',
			"CALL load.write($events, '$topic', $rate, " . ($seed % 1000) / 1000 . ')' ]);
	my $share = int($events / 3);
	$wait_written->($share);
	$confirmed->('nobody killed');
	my $parked = $judge->('nobody killed');
	my $poisoned = sql("SELECT count(*) FROM outbox.dead_letter WHERE slot = '$slot' AND state = 'parked' AND code = 'message-too-large'");
	cmp_ok($poisoned, '>', 5, "$name: $poisoned events could not be delivered, and $parked are stored");

	# --- killed while dead letters are stored

	foreach my $i (1 .. $kills)
	{
		$allow->($share + int($share * $i / $kills));
		$kill->();
	}
	$wait_written->(2 * $share);
	$confirmed->('killed while storing');
	$parked = $judge->('killed while storing');

	# --- killed while they are sent, and more events of their keys come

	$kafka->alter_topic($topic, 'max.message.bytes' => 1_000_000);
	sql("SELECT outbox.redrive(topic => '$topic')");
	foreach my $i (1 .. $kills)
	{
		$allow->(2 * $share + int($share * $i / $kills));
		$kill->();
		sql("SELECT outbox.redrive(topic => '$topic')");
	}
	$wait_written->($events);
	sql("SELECT outbox.redrive(topic => '$topic')");
	is($writer->wait_exit(60), 0, "$name: the writer is done") or diag($writer->log_text);
	ok(wait_for(sub { $poll->(); sql("SELECT count(*) FROM outbox.dead_letter WHERE slot = '$slot'") eq '0' }, 120, step => 0.2),
		"$name: redriven: none is stored any more") or diag(sql("SELECT state, code, count(*) FROM outbox.dead_letter GROUP BY 1, 2"), $streamer->log_text);
	$confirmed->('redriven');
	$judge->('redriven');
	is(scalar keys %times, $events, "$name: all $events events are delivered");
	is($received - keys %times, 0, "$name: none twice") if $delivery eq 'exactly-once';
	is(join(' ', grep { $_ ne 't' } @unconfirmed), '', "$name: work was unconfirmed at each of " . @unconfirmed . ' kills');
	is($streamer->stop, 0, "$name: stops when asked");
	$consumer->stop;

	result(
		"dead-letter-$slot",
		{
			events => $events + 0,
			undeliverable => sql("SELECT count(*) FROM load.event WHERE topic = '$topic' AND large") + 0,
			stored_at_most => $parked,
			kills => scalar @unconfirmed,
			lost => $events - keys %times,
			duplicates => $received - keys %times,
			disorder => $disorder,
			worst_hold_up_ms => $worst{75} + 0,
			worst_hold_up_of_four_a_second_ms => $worst{12} + 0
		},
		seed => $seed,
		what => "$delivery: one event in a hundred is undeliverable, over $keys keys; killed with SIGKILL while dead letters are stored and redriven"
	);
	return;
}

proof($_) foreach 'at-least-once', 'exactly-once';
done_testing();
