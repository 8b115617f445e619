# 132_dead_letter_takeover.pl - two instances, dead letters and parked keys: whoever has the slot keeps them.
#
# In both modes.  The active instance is killed while it stores dead letters: the standby
# goes on with what the table says, and no key forgets that it waits.  Then the new
# one is stopped with SIGSTOP with rows on their way, its walsender is ended, and the
# other takes the slot; when the first goes on, it finds that the dead letters are
# another's business.  What is redriven meanwhile comes in order.  The instances' metrics
# say how long the oldest has waited.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Consumer;
use PgOutbox::Http;
use PgOutbox::Wait qw(wait_for);
use Test::More;

my $node = PgOutbox::Node->ready('main', conf => 'wal_sender_timeout = 5s');
my $kafka = PgOutbox::Kafka->new(properties => { 'auto.create.topics.enable' => 'false' })->start;
my $keys = 200;

sub sql { return $node->safe_psql('postgres', join "\n", @_); }

foreach my $delivery ('at-least-once', 'exactly-once')
{
	my $slot = $delivery =~ s/-.*//r;
	my $name = $delivery;
	my $topic = "$slot-orders";
	my $good = $kafka->create_topic("$slot-good", 2);
	my %http = map { $_ => PgOutbox::Http->new } 'a', 'b';
	$node->create_slot($slot);
	my %two = map {
		$_ => PgOutbox::Streamer->new(
			node => $node, kafka => $kafka, slot => $slot, name => "$slot-$_",
			config => { outbox => { delivery => $delivery, on_undeliverable => 'dead-letter' }, http => { listen => $http{$_}->listen } })
	} 'a', 'b';
	my %number;
	# an event for each key, to a topic that isn't there, and one that can be delivered; each key counts
	my $emit = sub {
		sql("SELECT outbox.emit('load', 'k' || i, 'e', to_jsonb(" . ++$number{all} . "), topic => '$topic') FROM generate_series(1, $keys) i");
		return sql("SELECT outbox.emit('load', 'g', 'e', to_jsonb($number{all}), topic => '$good')");
	};
	my $stored = sub { return sql("SELECT count(*) FROM outbox.dead_letter WHERE slot = '$slot'"); };
	my $confirmed = sub {
		my ($what) = @_;
		ok($node->wait_confirmed($slot, undef, 60), "$name: $what: all is confirmed") or diag(map { $two{$_}->log_text } 'a', 'b');
	};
	my $is_complete = sub {
		my ($what) = @_;
		is(sql("SELECT count(*) || ' ' || count(DISTINCT event_id) FROM outbox.dead_letter WHERE slot = '$slot'"), join(' ', ($keys * $number{all}) x 2), "$name: $what: all are stored");
		is(sql("SELECT count(*) FROM (SELECT convert_from(payload, 'UTF8')::int - row_number() OVER (PARTITION BY key ORDER BY position) AS d FROM outbox.dead_letter WHERE slot = '$slot') s WHERE d <> 0"),
			'0', "$name: $what: each key in its order");
	};
	my $takes_slot = sub {
		my ($who, $times) = @_;
		ok(wait_for(sub { (() = $two{$who}->log_text =~ /streaming from slot/g) >= $times }, 30), "$name: $who has the slot") or diag(map { $two{$_}->log_text } 'a', 'b');
	};

	# --- killed while it stores

	$two{a}->start;
	$takes_slot->('a', 1);
	$two{b}->start;
	ok(wait_for(sub { $two{b}->log_text =~ /standing by/ }, 30), "$name: b stands by");
	$emit->();
	wait_for(sub { $stored->() > 0 }, 30, step => 0.001);
	$two{a}->kill9;
	$takes_slot->('b', 1);
	$emit->();
	$confirmed->('a killed');
	$is_complete->('a killed');
	is(sql("SELECT string_agg(DISTINCT code || ':' || state, ' ' ORDER BY code || ':' || state) FROM outbox.dead_letter WHERE slot = '$slot'"),
		'key-parked:queued topic-unknown:parked', "$name: what came later waits behind");

	# --- how long they have waited

	sql("UPDATE outbox.dead_letter SET parked_at = parked_at - interval '1 day' WHERE slot = '$slot' AND key = 'k7'");
	ok(wait_for(sub { $http{b}->metrics->{outbox_streamer_dead_letter_oldest_age_seconds} > 86_400 }, 20), "$name: metrics: the oldest has waited for a day");
	cmp_ok($http{b}->metrics->{outbox_streamer_dead_letter_oldest_age_seconds}, '<', 86_400 + 600, "$name: metrics: and not much longer");
	is($http{b}->metrics->{outbox_streamer_parked_keys}, $keys, "$name: metrics: keys that wait");
	$two{a}->start;
	ok(wait_for(sub { ($http{a}->get('/metrics'))[0] == 200 && $http{a}->state eq 'standby' }, 30), "$name: a stands by");
	is($http{a}->metrics->{outbox_streamer_dead_letter_oldest_age_seconds}, undef, "$name: metrics: a standby doesn't know");

	# --- paused with rows on their way, and replaced

	my $before = $stored->();
	$emit->();
	wait_for(sub { $stored->() > $before }, 30, step => 0.001);
	$two{b}->pause;
	my $streaming = () = $two{a}->log_text =~ /streaming from slot/g;
	sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '$slot'");
	$takes_slot->('a', $streaming + 1);
	$emit->();
	$confirmed->('b paused');
	$is_complete->('b paused');

	# --- it goes on while the other sends what waits

	$kafka->create_topic($topic, 4);
	sql("SELECT outbox.redrive(topic => '$topic')");
	$two{b}->resume;
	$emit->();
	ok(wait_for(sub { $stored->() eq '0' }, 60), "$name: all are redriven") or diag($stored->(), $two{a}->log_text);
	$confirmed->('redriven');
	ok(wait_for(sub { $http{b}->state eq 'standby' }, 30), "$name: b stands by again") or diag($two{b}->log_text);
	$emit->();
	$confirmed->('free');
	is($stored->(), '0', "$name: none is stored any more, by nobody");
	ok(wait_for(sub { $http{a}->metrics->{outbox_streamer_dead_letter_oldest_age_seconds} == 0 }, 20), "$name: metrics: none waits");

	my (%seen, %next, $disorder, $twice);
	foreach my $m (sort { $a->{partition} <=> $b->{partition} || $a->{offset} <=> $b->{offset} } PgOutbox::Consumer->all($kafka, $topic))
	{
		$twice++, next if $seen{"$m->{key} $m->{value}"}++;
		$disorder++ if $m->{value} != ++$next{ $m->{key} };
	}
	is(scalar keys %seen, $keys * $number{all}, "$name: each event has arrived");
	is($disorder // 0, 0, "$name: each key in its order");
	is($twice // 0, 0, "$name: none twice") if $delivery eq 'exactly-once';
	my %good;
	$good{ $_->{value} }++ foreach PgOutbox::Consumer->all($kafka, $good);
	is(scalar keys %good, $number{all}, "$name: so has each of another topic");
	is($two{$_}->stop, 0, "$name: $_ stops when asked") foreach 'a', 'b';
}
done_testing();
