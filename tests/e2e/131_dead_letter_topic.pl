# 131_dead_letter_topic.pl - a dead-letter topic is told of what can't be delivered, in step with the table.
#
# In both modes: key, payload, headers and id as they were, the reason in headers; only
# of what is at fault, not of what waits behind it.  What is too large for that topic,
# too, comes without its payload.  A copy that can't be delivered itself is a dead letter
# without a copy.  Through kills, table and topic name the same events.
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
use PgOutbox::Wait qw(wait_for);
use Test::More;

my $node = PgOutbox::Node->ready('main');
my $kafka = PgOutbox::Kafka->new(properties => { 'auto.create.topics.enable' => 'false' })->start;

sub sql { return $node->safe_psql('postgres', join "\n", @_); }

# emit(TOPIC, KEY, TYPE, SIZE): one event in a transaction of its own; its id
sub emit
{
	my ($topic, $key, $type, $size) = @_;
	$size //= 10;
	# not compressible to nothing
	return sql("SELECT outbox.emit('load', '$key', '$type', jsonb_build_object('f', "
		  . "(SELECT left(string_agg(md5(random()::text), ''), $size) FROM generate_series(0, $size / 32))), "
		  . "topic => '$topic', headers => '" . q({"a": "\"x\\\\y\nz\u0007\u00e4", "b": [1, 1.50]}) . "')");
}

sub header { return PgOutbox::Consumer::header(@_) // '-'; }

# the row's own
sub own_headers { return join '|', map { header($_[0], $_) } 'a', 'b'; }

# of the dead letters with a condition, in their order
sub rows { return sql("SELECT string_agg(concat_ws(':', key, code, state), ' ' ORDER BY position) FROM outbox.dead_letter d WHERE $_[0]"); }

foreach my $delivery ('at-least-once', 'exactly-once')
{
	my $slot = $delivery =~ s/-.*//r;
	my $name = $delivery;
	my $topic = $kafka->create_topic("$slot-topic", 2, 'max.message.bytes' => 20_000);
	my $dead = $kafka->create_topic("$slot-dead", 1, 'max.message.bytes' => 40_000);
	$node->create_slot($slot);
	# nobody else is told: another slot of the same database
	$node->create_slot("${slot}_other");
	my $streamer = PgOutbox::Streamer->new(
		node => $node, kafka => $kafka, slot => $slot,
		config => {
			outbox => { delivery => $delivery, on_undeliverable => 'dead-letter', dead_letter_topic => $dead, max_payload => 100_000, message_prefix => '' }
		});
	my $confirmed = sub {
		my ($what) = @_;
		ok($node->wait_confirmed($slot, undef, 40), "$name: $what: all is confirmed") or diag($streamer->log_text);
	};
	# copies(): the messages of the dead-letter topic that came since, when there are at least N, by type
	my $seen = 0;
	my $consumer = PgOutbox::Consumer->start($kafka, $dead);
	my $copies = sub {
		my ($n) = @_;
		$consumer->wait_count($seen + $n, 30);
		$confirmed->("$n copies");
		my @all = $consumer->messages;
		my @new = @all[$seen .. $#all];
		$seen = @all;
		return map { header($_, 'eventType') => $_ } @new;
	};
	$streamer->start;

	# --- as it was, and why

	my $nowhere = emit("$slot-nowhere", 'k1', 'nowhere');
	emit($topic, 'k1', 'innocent');
	my %copy = $copies->(1);
	is(join(' ', sort keys %copy), 'nowhere', "$name: one copy");
	my $m = $copy{nowhere};
	is($m->{key}, 'k1', "$name: under its key");
	is($m->{value}, sql("SELECT payload::text FROM outbox.event WHERE id = '$nowhere'"), "$name: its payload");
	is(header($m, 'id'), $nowhere, "$name: its id");
	is(own_headers($m), qq("x\\y\nz\a\xc3\xa4|[1, 1.50]), "$name: its headers");
	is(join('|', map { header($m, "outbox.dead_letter.$_") } qw(code topic slot payload)), "topic-unknown|$slot-nowhere|$slot|-", "$name: the reason");
	my ($reason, $position) = split /\|/, sql("SELECT reason || '|' || position FROM outbox.dead_letter WHERE event_id = '$nowhere'");
	is(header($m, 'outbox.dead_letter.reason'), $reason, "$name: in words, as in the table");
	is(header($m, 'outbox.dead_letter.position'), $position, "$name: where it was committed");
	cmp_ok(header($m, 'outbox.position'), 'gt', $position, "$name: the copy has a position of its own");

	# --- what waits behind is not told of, what is too large here, too, comes without its payload

	emit($topic, 'bad', 'large', 30_000);
	emit($topic, 'bad', 'behind');
	emit($topic, 'bad', 'huge', 60_000);
	emit($topic, 'none', 'refused', 150_000);
	emit($topic, 'huge', 'huge too', 60_000);
	%copy = $copies->(3);
	is(join(' ', sort keys %copy), 'huge too large refused', "$name: of what is at fault, there is a copy");
	is(rows("slot = '$slot' AND key = 'bad'"), 'bad:message-too-large:parked bad:key-parked:queued bad:key-parked:queued', "$name: others only wait");
	is(length $copy{large}{value} // '', 30_009, "$name: it has room there");
	is($copy{$_}{value} // 'none', 'none', "$name: $_: it has not") foreach 'huge too', 'refused';
	is(join('|', map { header($copy{$_}, 'outbox.dead_letter.payload') } 'large', 'huge too', 'refused'), '-|omitted|omitted', "$name: and says so");
	is(header($copy{refused}, 'outbox.dead_letter.code'), 'payload-too-large', "$name: what the plugin has not output");

	# --- headers that can't be sent stay in the table

	foreach my $headers ('[1', '{"id": "x"}', '{"outbox.dead_letter.slot": "x"}')
	{
		sql("CREATE TABLE IF NOT EXISTS public.raw (id text, aggregatetype text, aggregateid text, type text, payload text, topic text, headers text)");
		$streamer->stop;
		$streamer->configure({ 'table "public.raw"' => { topic => 'topic' }, 'table "outbox.event"' => { id => 'id' } });
		$streamer->start;
		sql("INSERT INTO public.raw VALUES ('1', 'a', 'raw', 'raw', 'text', '$topic', '$headers')");
		%copy = $copies->(1);
		is(join('|', map { header($copy{raw}, "outbox.dead_letter.$_") } 'code', 'slot'), "headers-invalid|$slot", "$name: headers $headers: ours alone");
		sql("SELECT outbox.discard(event_id => '1')");
		ok($node->wait_until("SELECT count(*) = 0 FROM outbox.dead_letter WHERE event_id = '1' AND slot = '$slot'"), "$name: discarded");
	}

	# --- what had only waited is told of once it is at fault itself

	$kafka->alter_topic($topic, 'max.message.bytes' => 40_000);
	sql("SELECT outbox.redrive(key => 'bad')");
	%copy = $copies->(1);
	is(join(' ', sort keys %copy), 'huge', "$name: redriven, the third is at fault");
	is(own_headers($copy{huge}), own_headers($m), "$name: its headers are as they were, though they have been read");
	is(rows("slot = '$slot' AND key = 'bad'"), 'bad:message-too-large:parked', "$name: and it alone is left");
	sql("SELECT outbox.redrive(key => 'bad')");
	ok($node->wait_until("SELECT attempts = 2 FROM outbox.dead_letter WHERE slot = '$slot' AND key = 'bad'"), "$name: refused once more");
	$confirmed->('refused once more');
	is($consumer->count, $seen, "$name: that is no news");

	# --- a copy that can't be delivered is a dead letter, and there it ends

	$streamer->stop;
	$streamer->configure({ outbox => { dead_letter_topic => "$slot-missing" } });
	$streamer->start;
	my $lost = emit("$slot-nowhere", 'k2', 'lost');
	ok($node->wait_until("SELECT count(*) = 2 FROM outbox.dead_letter WHERE slot = '$slot' AND key = 'k2'", 30), "$name: the copy is a dead letter");
	emit($topic, 'k2', 'innocent') foreach 1 .. 3;
	$confirmed->('no dead-letter topic');
	ok($streamer->alive, "$name: the stream goes on");
	is(sql("SELECT string_agg(topic || ':' || event_id, ' ' ORDER BY position) FROM outbox.dead_letter WHERE slot = '$slot' AND key = 'k2'"),
		"$slot-nowhere:$lost $slot-missing:$lost", "$name: the event and its copy, nothing more");
	$kafka->create_topic("$slot-missing", 1);
	sql("SELECT outbox.redrive(topic => '$slot-missing')");
	ok($node->wait_until("SELECT count(*) = 1 FROM outbox.dead_letter WHERE slot = '$slot' AND key = 'k2'", 40), "$name: redriven") or diag($streamer->log_text);
	my @missing = PgOutbox::Consumer->all($kafka, "$slot-missing");
	is(join(' ', map { header($_, 'outbox.dead_letter.topic') . ':' . header($_, 'outbox.redriven') } @missing), "$slot-nowhere:true", "$name: it tells of the event");

	# --- killed: table and topic name the same

	$streamer->stop;
	$streamer->configure({ outbox => { dead_letter_topic => $dead } });
	$streamer->start;
	foreach my $round (1 .. 4)
	{
		sql("SELECT outbox.emit('load', 'r$round-' || i, 'killed', '{}', topic => '$slot-nowhere') FROM generate_series(1, 300) i");
		wait_for(sub { sql("SELECT count(*) > ($round - 1) * 300 FROM outbox.dead_letter WHERE slot = '$slot' AND type = 'killed'") eq 't' }, 30, step => 0.001);
		$streamer->kill9;
		$streamer->start;
	}
	$confirmed->('killed');
	# copies are committed after what they tell of
	$confirmed->('killed, and the copies');
	my %times;
	$times{ header($_, 'id') }++ foreach grep { header($_, 'eventType') eq 'killed' } PgOutbox::Consumer->all($kafka, $dead);
	is(sql("SELECT count(*) || ' ' || count(DISTINCT event_id) FROM outbox.dead_letter WHERE slot = '$slot' AND type = 'killed' AND code <> 'key-parked'"), '1200 1200', "$name: killed: 1,200 dead letters");
	is(join(' ', sort keys %times), sql("SELECT string_agg(event_id, ' ' ORDER BY event_id COLLATE \"C\") FROM outbox.dead_letter WHERE slot = '$slot' AND type = 'killed' AND code <> 'key-parked'"),
		"$name: killed: each has a copy, and nothing else has");
	is(scalar(grep { $_ > 1 } values %times), 0, "$name: killed: each once") if $delivery eq 'exactly-once';
	is($streamer->stop, 0, "$name: stops when asked");
	$consumer->stop;
	is(sql("SELECT count(*) FROM pg_logical_slot_get_binary_changes('${slot}_other', NULL, NULL, 'table', 'outbox.event', 'table', 'public.raw') WHERE position('outbox.dead_letter\"'::bytea IN data) > 0"),
		'0', "$name: the other slot's stream has none of it");
	sql('DELETE FROM outbox.dead_letter');
}

# --- refused settings

my $streamer = PgOutbox::Streamer->new(node => $node, kafka => $kafka, slot => 'at');
foreach my $case (
	[ qr/on_undeliverable is not dead-letter/, '-o', 'outbox.dead_letter_topic=dead' ],
	[ qr/no topic's name/, '-o', 'outbox.dead_letter_topic=a/b', '-o', 'outbox.on_undeliverable=dead-letter' ])
{
	my ($message, @args) = @$case;
	my ($code, $out, $err) = $streamer->run('check', @args);
	is($code, 1, "@args: refused");
	like($err, qr/^outbox-streamer: error\[config-value\]: .*$message.*; hint: /, 'and it says why');
}
my ($code, $out) = $streamer->run('check', '-o', 'outbox.dead_letter_topic=absent', '-o', 'outbox.on_undeliverable=dead-letter');
like($out, qr/^FAIL +topic-unknown +topic absent does not exist/m, 'check looks for the dead-letter topic');
done_testing();
