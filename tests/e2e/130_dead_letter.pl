# 130_dead_letter.pl - what can't be delivered is stored, its key waits, and both come back.
#
# In both modes of delivery: an oversize record among innocent ones, a topic that
# nobody knows, a payload that the plugin may not output.  All else is delivered.  Later
# events of such a key wait behind it, through a kill too; what is redriven comes in
# order, under its old id and position, and then the key is free.
#
# brief: sanitize
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Consumer;
use PgOutbox::Env;
use PgOutbox::Proc;
use PgOutbox::Wait qw(wait_for);
use Test::More;

my $node = PgOutbox::Node->ready('main');
my $kafka = PgOutbox::Kafka->new(properties => { 'auto.create.topics.enable' => 'false' })->start;
my $number = 0;

sub sql { return $node->safe_psql('postgres', join "\n", @_); }

# emit(TOPIC, KEY, SIZE): one event in a transaction of its own; returns its number
sub emit
{
	my ($topic, $key, $size) = @_;
	$number++;
	$size //= 10;
	# not compressible to nothing
	sql("SELECT outbox.emit('load', '$key', 'e', jsonb_build_object('n', $number, 'f', "
		  . "(SELECT left(string_agg(md5(random()::text), ''), $size) FROM generate_series(0, $size / 32))), "
		  . "topic => '$topic', headers => '{\"a\": \"\\\"x\", \"b\": [1, 1.50]}')");
	return $number;
}

# arrived(TOPIC): key => [numbers in their order], first occurrences; the messages in %message
my %message;
sub arrived
{
	my ($topic) = @_;
	my (%keys, %seen);
	foreach my $m (sort { $a->{partition} <=> $b->{partition} || $a->{offset} <=> $b->{offset} } PgOutbox::Consumer->all($kafka, $topic))
	{
		my ($n) = $m->{value} =~ /"n": (\d+)/;
		$message{$n} = $m;
		push @{ $keys{ $m->{key} } }, $n unless $seen{$n}++;
	}
	return \%keys;
}

# rows(SLOT, KEY): number:state:code of its dead letters in their order
sub rows
{
	my ($slot, $key) = @_;
	return sql("SELECT string_agg(coalesce(convert_from(payload, 'UTF8')::json ->> 'n', '-') || ':' || state || ':' || code, ' ' ORDER BY position) "
		  . "FROM outbox.dead_letter WHERE slot = '$slot' AND key = '$key'");
}

sub wait_rows
{
	my ($slot, $key, $expected, $name) = @_;
	wait_for(sub { rows($slot, $key) eq $expected }, 20, step => 0.05);
	return is(rows($slot, $key), $expected, $name);
}

foreach my $delivery ('at-least-once', 'exactly-once')
{
	my $slot = $delivery =~ s/-.*//r;
	my $name = $delivery;
	my $topic = $kafka->create_topic("$slot-topic", 2, 'max.message.bytes' => 20_000);
	$node->create_slot($slot);
	my $streamer = PgOutbox::Streamer->new(
		node => $node, kafka => $kafka, slot => $slot,
		config => { outbox => { delivery => $delivery, 'on_undeliverable' => 'dead-letter', max_payload => 100_000 } });
	my $confirmed = sub {
		my ($what) = @_;
		ok($node->wait_confirmed($slot, undef, 40), "$name: $what: all is confirmed") or diag($streamer->log_text);
	};
	$streamer->start;

	# --- stored, and its key waits

	my @innocent = map { emit($topic, "key " . $_ % 5) } 1 .. 20;
	my $first = emit($topic, 'bad');
	my $bad = emit($topic, 'bad', 30_000);
	my @behind = map { emit($topic, 'bad') } 1 .. 2;
	my $large = emit($topic, 'large', 150_000);
	push @behind, emit($topic, 'bad');
	my $nowhere = emit("$slot-nowhere", 'a');
	push @innocent, map { emit($topic, "key " . $_ % 5) } 1 .. 20;
	my $more = emit("$slot-nowhere", 'b');
	$confirmed->('refused');
	ok($streamer->alive, "$name: it runs");
	my $there = arrived($topic);
	is_deeply([ sort { $a <=> $b } map { @{ $there->{"key $_"} } } 0 .. 4 ], \@innocent, "$name: all innocent events are delivered");
	is(join(' ', @{ $there->{bad} }), $first, "$name: of the bad one's key, what came before it");
	is(rows($slot, 'bad'), join(' ', "$bad:parked:message-too-large", map { "$_:queued:key-parked" } @behind), "$name: it is stored, and what follows waits");
	is(rows($slot, 'large'), '-:parked:payload-too-large', "$name: what the plugin may not output is stored without payload");
	is(rows($slot, 'a'), "$nowhere:parked:topic-unknown", "$name: so is an event of an unknown topic");
	is(rows($slot, 'b'), "$more:parked:topic-unknown", "$name: and the next one");
	is(sql("SELECT bool_and(d.payload = convert_to(e.payload::text, 'UTF8') AND d.headers = e.headers::text AND d.aggregateid = e.aggregateid "
			  . "AND d.type = e.type AND d.aggregatetype = e.aggregatetype AND d.topic = e.topic) "
			  . "FROM outbox.dead_letter d JOIN outbox.event e ON e.id::text = d.event_id WHERE d.slot = '$slot' AND d.complete"),
		't', "$name: all fields as they were");

	# --- what a person sees of it

	my ($code, $out, $err) = $streamer->run('deadletter', 'list', '--key=bad');
	my @line = map { [ split /\t/ ] } split /\n/, $out;
	is("$code $err", '0 ', "$name: deadletter list");
	is(join(' ', map { "$_->[1]:$_->[3]:$_->[6]:$_->[7]" } @line),
		join(' ', "parked:message-too-large:$topic:bad", map { "queued:key-parked:$topic:bad" } @behind), "$name: its queue, in order");
	(undef, $out) = $streamer->run('deadletter', 'list', '--limit=1');
	is(scalar(() = $out =~ /\n/g), 1, "$name: as many as asked for");
	($code, $out) = $streamer->run('deadletter', 'show', "--id=$line[1][5]");
	is($code, 0, "$name: deadletter show");
	like($out, qr/^headers +\{"a": "\\"x", "b": \[1, 1\.50\]\}$/m, "$name: its headers");
	like($out, qr/^payload +\{.*"n": $behind[0]\b.*\}$/m, "$name: its payload");

	# --- confirmed only once it is stored

	my $lock = PgOutbox::Proc->start(
		name => "lock-$slot",
		cmd => [ PgOutbox::Env::pgbin() . '/psql', '-X', '-q', '-d', $node->socket_dsn, '-c', 'BEGIN; LOCK TABLE outbox.dead_letter; SELECT pg_sleep(60)' ]);
	$node->wait_until("SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'outbox.dead_letter'::regclass AND mode = 'AccessExclusiveLock' AND granted)") or die 'no lock';
	push @behind, emit($topic, 'bad');
	my $behind_it = sql('SELECT pg_current_wal_insert_lsn()');
	ok($node->wait_until("SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'outbox.dead_letter'::regclass AND NOT granted)"), "$name: it can't be stored at present");
	ok(!$node->wait_confirmed($slot, $behind_it, 1), "$name: what is not stored is not confirmed");
	$lock->kill9;
	sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 'outbox.dead_letter'::regclass AND mode = 'AccessExclusiveLock' AND granted");
	$confirmed->('stored');

	# --- the streamer is killed: nothing is forgotten

	$streamer->kill9;
	push @behind, emit($topic, 'bad');
	$streamer->start;
	$confirmed->('killed');
	wait_rows($slot, 'bad', join(' ', "$bad:parked:message-too-large", map { "$_:queued:key-parked" } @behind), "$name: killed: its key still waits");

	# --- redriven in vain

	is(sql("SELECT outbox.redrive(key => 'bad')"), 1 + @behind, "$name: redrive marks the whole queue");
	ok($node->wait_until("SELECT attempts = 2 FROM outbox.dead_letter WHERE slot = '$slot' AND key = 'bad' ORDER BY position LIMIT 1", 20), "$name: it is refused again")
	  or diag($streamer->log_text);
	is(rows($slot, 'bad'), join(' ', "$bad:parked:message-too-large", map { "$_:queued:key-parked" } @behind), "$name: and all is as before");

	# --- mended

	$kafka->alter_topic($topic, 'max.message.bytes' => 1_000_000);
	($code, $out) = $streamer->run('deadletter', 'redrive', '--key=bad');
	is("$code $out", '0 ' . (1 + @behind) . " marked; the streamer sends them\n", "$name: deadletter redrive");
	push @behind, emit($topic, 'bad');
	wait_rows($slot, 'bad', '', "$name: redriven: the queue is empty") or diag($streamer->log_text);
	my $free = emit($topic, 'bad');
	$confirmed->('free');
	is(rows($slot, 'bad'), '', "$name: the key is free");
	$there = arrived($topic);
	is(join(' ', @{ $there->{bad} }), join(' ', $first, $bad, @behind, $free), "$name: in the order of the commits");
	my $again = $message{$bad};
	is(PgOutbox::Consumer::header($again, 'outbox.redriven'), 'true', "$name: a header says so");
	is(PgOutbox::Consumer::header($message{$free}, 'outbox.redriven'), undef, "$name: not of what came later");
	is(PgOutbox::Consumer::header($again, 'id'), sql("SELECT id FROM outbox.event WHERE payload ->> 'n' = '$bad'"), "$name: the old id");
	is(join('|', map { PgOutbox::Consumer::header($again, $_) } 'a', 'b'), '"x|[1, 1.50]', "$name: its headers");
	is(join(' ', sort map { PgOutbox::Consumer::header($message{$_}, 'outbox.position') } $first, $bad, @behind, $free),
		join(' ', map { PgOutbox::Consumer::header($message{$_}, 'outbox.position') } $first, $bad, @behind, $free), "$name: positions in the order of the commits");

	# --- a topic that is there now

	$kafka->create_topic("$slot-nowhere", 1);
	is(sql("SELECT outbox.redrive(topic => '$slot-nowhere')"), 2, "$name: redrive by topic");
	wait_rows($slot, $_, '', "$name: $_ is redriven") foreach 'a', 'b';
	is_deeply(arrived("$slot-nowhere"), { a => [$nowhere], b => [$more] }, "$name: both are there, once");

	# --- what can't be sent from here is discarded, and what waits behind it goes

	my $waiting = emit($topic, 'large');
	$confirmed->('behind the incomplete one');
	sql("SELECT outbox.redrive(key => 'large')");
	ok($node->wait_until("SELECT code = 'not-complete' FROM outbox.dead_letter WHERE slot = '$slot' AND key = 'large' ORDER BY position LIMIT 1", 20), "$name: it can't be redriven");
	my $id = sql("SELECT id FROM outbox.event WHERE payload ->> 'n' = '$large'");
	($code, undef, $err) = $streamer->run('deadletter', 'discard', "--id=$id");
	is($code, 1, "$name: nothing is discarded by accident");
	like($err, qr/^outbox-streamer: error\[not-confirmed\]: .*; hint: .*--yes/, "$name: and it says how");
	($code, $out) = $streamer->run('deadletter', 'discard', "--id=$id", '--yes');
	is("$code $out", "0 1 marked; the streamer removes them\n", "$name: it is discarded");
	wait_rows($slot, 'large', '', "$name: the queue is empty");
	is_deeply(arrived($topic)->{large}, [$waiting], "$name: what waited has arrived");
	is($streamer->stop, 0, "$name: stops when asked");
}

# --- what makes no sense

my $streamer = PgOutbox::Streamer->new(node => $node, kafka => $kafka, slot => 'at');
foreach my $case (
	[ qr/needs one of list/ ],
	[ qr/no "deadletter frob"/, 'frob' ],
	[ qr/needs --id, --topic or --key/, 'redrive' ],
	[ qr/needs --id, --topic or --key/, 'discard', '--yes' ],
	[ qr/does not belong/, 'list', '--yes' ],
	[ qr/does not belong/, 'redrive', '--key=k', '--limit=1' ],
	[ qr/is not a number/, 'list', '--limit=1x' ])
{
	my ($message, @args) = @$case;
	my ($code, $out, $err) = $streamer->run('deadletter', @args);
	is("$code $out", '1 ', "deadletter @args: refused");
	like($err, $message, 'and it says why');
}
done_testing();
