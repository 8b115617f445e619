# 120_undeliverable.pl - what can't be delivered stops the stream, alone and in its place.
#
# A broker answers for whole batches: one record that is too large takes innocent ones
# with it.  The streamer finds out which one it is, delivers what comes before it, lets
# none of its key overtake it, and ends with status 3 and the reason.  It does so when
# the broker goes away meanwhile, too; and it goes on once the reason is gone.
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
use Time::HiRes qw(time);

my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $kafka = PgOutbox::Kafka->new(properties => { 'auto.create.topics.enable' => 'false' })->start;
my $streamer = PgOutbox::Streamer->new(
	node => $node, kafka => $kafka, slot => 'outbox',
	config => { outbox => { topic => '${aggregatetype}' } });
my $number = 0;

# emit(TOPIC, KEY, FILLING): one event in a transaction of its own
sub emit
{
	my ($topic, $key, $filling) = @_;
	$number++;
	$filling //= 10;
	# not compressible to nothing
	return "SELECT outbox.emit('$topic', '$key', 'e', jsonb_build_object('n', $number, 'f', "
	  . "(SELECT left(string_agg(md5(random()::text), ''), $filling) FROM generate_series(0, $filling / 32))));\n";
}

sub run_sql { return $node->safe_psql('postgres', join "", @_); }
sub wal_end { return $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()'); }

# numbers(TOPIC): key => [numbers of first occurrences in their order]; and in %lsn,
# where their commits end
my %lsn;
sub numbers
{
	my ($topic) = @_;
	my (%keys, %seen);
	my @all = sort { $a->{partition} <=> $b->{partition} || $a->{offset} <=> $b->{offset} }
	  PgOutbox::Consumer->all($kafka, $topic);
	foreach my $m (@all)
	{
		my ($n) = $m->{value} =~ /"n": (\d+)/;
		push @{ $keys{ $m->{key} } }, $n unless $seen{$n}++;
		$lsn{$n} = "$1/$2" if PgOutbox::Consumer::header($m, 'outbox.position') =~ m{/(.{8})(.{8})/};
	}
	return \%keys;
}

sub ordered
{
	my ($keys) = @_;
	return !grep { "@$_" ne join ' ', sort { $a <=> $b } @$_ } values %$keys;
}

# refused(TOPIC, PARTITIONS, DURING): one oversize record among innocent ones
sub refused
{
	my ($name, $partitions, $during) = @_;
	my $topic = $kafka->create_topic($name, $partitions, 'max.message.bytes' => 20_000);
	my (@before, @after);
	push @before, emit($topic, "key $_") foreach (0 .. 9) x 20;
	push @before, emit($topic, 'bad') foreach 1 .. 3;
	my $last_before = $number;
	my $bad = emit($topic, 'bad', 30_000);
	my $bad_number = $number;
	push @after, emit($topic, 'bad') foreach 1 .. 3;
	push @after, emit($topic, "key $_") foreach (0 .. 9) x 20;
	my $begin = $bad_number - @before;

	run_sql(@before);
	run_sql($bad);
	my $behind = wal_end();
	run_sql(@after);
	my $started = time;
	$streamer->start;
	$during->() if $during;
	my $code = $streamer->wait_exit(60);
	my $seconds = time - $started;
	is($code, 3, sprintf '%s: exit status 3 (after %.1f s)', $name, $seconds) or diag($streamer->log_text);
	like($streamer->log_text, qr/error\[message-too-large\]: Kafka: topic "\Q$topic\E"/, "$name: the reason");
	is($node->safe_psql('postgres', "SELECT confirmed_flush_lsn < '$behind' FROM pg_replication_slots"), 't', "$name: it is not confirmed");

	my $keys = numbers($topic);
	my %there = map { ($_ => 1) } map { @$_ } values %$keys;
	is(scalar(grep { !$there{$_} } $begin .. $last_before), 0, "$name: all that came before has arrived");
	is($node->safe_psql('postgres', "SELECT confirmed_flush_lsn >= '$lsn{$last_before}' FROM pg_replication_slots"), 't', "$name: and is confirmed");
	is(scalar(grep { $_ >= $bad_number } @{ $keys->{bad} }), 0, "$name: nothing of its key has overtaken it");
	ok(ordered($keys), "$name: every key in order");

	# once the topic takes it
	$kafka->alter_topic($topic, 'max.message.bytes' => 1_000_000);
	$streamer->start;
	ok($node->wait_confirmed('outbox', undef, 60), "$name: mended: all is confirmed");
	is($streamer->stop, 0, "$name: mended: it runs");
	$keys = numbers($topic);
	%there = map { ($_ => 1) } map { @$_ } values %$keys;
	is(scalar(grep { !$there{$_} } $begin .. $number), 0, "$name: mended: nothing is lost");
	ok(ordered($keys), "$name: mended: every key in order");
	return;
}

# --- large batches that are refused though no record is too large

{
	my $topic = $kafka->create_topic('innocent', 2, 'max.message.bytes' => 20_000);
	run_sql(map { emit($topic, "key $_", 5000) } (0 .. 9) x 10);
	$streamer->start;
	ok($node->wait_confirmed('outbox', undef, 60), 'innocent: batches larger than the topic takes are sent one by one');
	ok($streamer->alive, 'innocent: it runs');
	is($streamer->stop, 0, 'innocent: stops when asked');
	my $keys = numbers($topic);
	is(scalar(map { @$_ } values %$keys), 100, 'innocent: all are there');
	ok(ordered($keys), 'innocent: every key in order');
}

refused('one-partition', 1);
refused('partitions', 4);
refused('restart', 2, sub {
	$streamer->wait_for_log(qr/one by one/, 20) or die $streamer->log_text;
	$kafka->kill9;
	$kafka->start;
});

# --- what the client itself refuses

{
	my $topic = $kafka->create_topic('client', 1);
	$streamer->configure({ kafka => { 'message.max.bytes' => 20_000 }, outbox => { max_payload => 100_000 } });
	run_sql(emit($topic, 'a'), emit($topic, 'a', 30_000), emit($topic, 'a'));
	$streamer->start;
	is($streamer->wait_exit(20), 3, 'client: exit status 3');
	like($streamer->log_text, qr/error\[message-too-large\].*; hint: .*message\.max\.bytes/, 'client: the reason');
	is($kafka->messages_in($topic), 1, 'client: what came before has arrived, what came after has not');
	$streamer->configure({ kafka => { 'message.max.bytes' => undef }, outbox => { max_payload => undef } });
	$streamer->start;
	ok($node->wait_confirmed('outbox', undef, 60), 'client: mended');
}

# --- the largest event that emit() takes fits

{
	my $topic = $kafka->create_topic('largest', 1);
	run_sql(<<"SQL");
DO \$\$
BEGIN
	FOR size IN REVERSE 999100 .. 998000 LOOP
		BEGIN
			PERFORM outbox.emit('$topic', repeat('k', 255), repeat('e', 255), to_jsonb(repeat('x', size)));
			RETURN;
		EXCEPTION WHEN program_limit_exceeded THEN
			-- one less
		END;
	END LOOP;
	RAISE 'none fits';
END \$\$
SQL
	ok($node->wait_confirmed('outbox', undef, 20), 'largest: it is delivered') or diag($streamer->log_text);
	is($streamer->stop, 0, 'largest: stops when asked');
}

# --- topics that don't exist

foreach my $running (1, 0)
{
	my $name = $running ? 'unknown topic' : 'unknown topic in the backlog';
	my $topic = "nowhere-$running";
	$streamer->start if $running;
	$streamer->wait_for_log(qr/streaming from slot/, 20) or die if $running;
	run_sql(emit($topic, 'a'));
	my $started = time;
	$streamer->start if !$running;
	my $code = $streamer->wait_exit(20);
	my $seconds = time - $started;
	is($code, 3, "$name: exit status 3");
	cmp_ok($seconds, '<', 2, sprintf '%s: within two seconds (%.2f)', $name, $seconds);
	like($streamer->log_text, qr/error\[topic-unknown\].*$topic.*; hint: create the topic/, "$name: the reason");
	$kafka->create_topic($topic, 1);
	$streamer->start;
	ok($node->wait_confirmed('outbox', undef, 20), "$name: created, it is sent");
	is($kafka->messages_in($topic), 1, "$name: once");
	is($streamer->stop, 0, "$name: stops when asked");
}

# --- a topic that somebody makes late, as a slow broker may: waited for as long as is configured

{
	my $topic = 'late';
	$streamer->configure({ kafka => { 'topic.metadata.propagation.max.ms' => 60_000 } });
	$streamer->start;
	run_sql(emit($topic, 'a'), emit($topic, 'a'));
	is(scalar $streamer->wait_exit(4), undef, 'late topic: it is waited for, longer than by default') or diag($streamer->log_text);
	$kafka->create_topic($topic, 1);
	ok($node->wait_confirmed('outbox', undef, 30), 'late topic: once it is there, all is sent');
	is($kafka->messages_in($topic), 2, 'late topic: once');
	is($streamer->stop, 0, 'late topic: stops when asked');
}
done_testing();
