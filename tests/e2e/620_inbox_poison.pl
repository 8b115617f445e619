# 620_inbox_poison.pl - a message that can't be applied never holds up other keys for more than a second.
#
# Policy dead-letter, and each way of failing: an error at once, an error that takes its
# time, SQL that runs into statement_timeout, a row that somebody keeps locked.  First with
# many poison keys among thousands of messages, then with a new one every second.  Held up
# is counted from the message's timestamp to the commit of what it has changed, against
# the same without poison.
#
# runs alone
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Inbox;
use PgOutbox::Proof qw(result seed sized);
use PgOutbox::Wait qw(wait_for);
use Test::More;
use Time::HiRes qw(time);

my $messages = 5_000;
my $poisons = 50;
my $seconds = sized(4, 60);
my $seed = seed();

my $node = PgOutbox::Node->ready('main');
$node->append_conf('postgresql.conf', "track_commit_timestamp = on\n");
$node->restart;
my $kafka = PgOutbox::Kafka->shared;

sub sql { return $node->safe_psql('postgres', $_[0]); }
sql(<<'SQL');
CREATE TABLE seen (n bigserial, way text, key text, number int, sent timestamptz);
CREATE TABLE held (way text, key text, PRIMARY KEY (way, key));
CREATE FUNCTION apply(way text, key text, number int, sent timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF key LIKE 'poison%' THEN
        CASE way
            WHEN 'error' THEN RAISE 'poison';
            WHEN 'late error' THEN PERFORM pg_sleep(0.05); RAISE 'late poison';
            WHEN 'timeout' THEN PERFORM pg_sleep(3600);
            WHEN 'lock' THEN UPDATE held SET key = held.key WHERE held.way = apply.way AND held.key = apply.key;
            ELSE NULL;
        END CASE;
    END IF;
    INSERT INTO seen (way, key, number, sent) VALUES (way, key, number, sent);
END
$$;
SQL

# Number i of a key; a poison key has two messages, all others twenty or so.
my %number;
my %plain;    # how long it takes without poison
sub message
{
	my ($key) = @_;
	return { key => $key, value => ++$number{$key} };
}

# How long the slowest of other keys' messages took, in ms; of those that came behind the first SKIP.
sub longest
{
	my ($way, $skip) = @_;
	return sql("SELECT round(max(extract(epoch FROM committed - sent)) * 1000)
		FROM (SELECT pg_xact_commit_timestamp(xmin) AS committed, sent FROM seen WHERE way = '$way' AND key LIKE 'key%' ORDER BY sent OFFSET $skip) AS x");
}

sub healthy { return sql("SELECT count(*) FROM seen WHERE way = '$_[0]' AND key LIKE 'key%'"); }

foreach my $way ('none', 'error', 'late error', 'timeout', 'lock')
{
	my $topic = $kafka->create_topic(PgOutbox::Kafka::unique_name('poison'), 4);
	(my $name = $way) =~ tr/ /_/;
	my $inbox = PgOutbox::Inbox->new(node => $node, kafka => $kafka, topics => $topic, consumer => $name, name => $name,
		config => {
			postgres => { dsn => $node->dsn . " options='-c statement_timeout=200ms'" },
			inbox => { policy => 'dead-letter', sql => "SELECT apply('$way', :key, :payload::int, :time)" } });
	%number = ();
	sql("INSERT INTO held SELECT '$way', 'poison' || i FROM generate_series(0, 9999) AS i");
	my $locker = $node->background_psql('postgres');
	$locker->query_safe("BEGIN; SELECT count(*) FROM (SELECT FROM held WHERE way = '$way' FOR UPDATE) AS x");
	$inbox->start;
	my $producer = $kafka->producer($topic);
	PgOutbox::Kafka::give($producer, message('key0'));
	ok($inbox->wait_handled(1), "$way: it consumes");
	sql("DELETE FROM seen WHERE way = '$way'");

	# many at once
	my @batch = map { message('key' . $_ % 250) } 1 .. $messages;
	foreach my $i (0 .. $poisons - 1)
	{
		splice @batch, $messages / $poisons * $i + rand($messages / $poisons), 0, message("poison$i"), message("poison$i");
	}
	PgOutbox::Kafka::give($producer, @batch);
	ok(wait_for(sub { healthy($way) == $messages }, 60), "$way: all other keys are applied") or diag(healthy($way) . ' ' . $inbox->dead_letters);
	my $burst = longest($way, 0);

	# one every second, among steady traffic
	my $written = $messages;
	my $poison = $poisons;
	my $begin = time;
	for (my $tick = 0; $tick < $seconds * 10; $tick++)
	{
		wait_for(sub { time - $begin >= $tick / 10 }, 10);
		PgOutbox::Kafka::give($producer, (map { message('key' . $_) } 0 .. 19), $tick % 10 == 5 ? message('poison' . $poison++) : ());
		$written += 20;
	}
	close $producer or die "ktool: $?";
	ok(wait_for(sub { healthy($way) == $written }, 60), "$way: and go on with a new one every second") or diag(healthy($way) . ' ' . $inbox->dead_letters);
	my $steady = longest($way, $messages);
	%plain = (burst => $burst, steady => $steady) if $way eq 'none';
	cmp_ok($burst - $plain{burst}, '<=', 1000, "$way: $poisons poison keys among $messages messages hold up no other key for more than a second");
	cmp_ok($steady - $plain{steady}, '<=', 1000, "$way: nor does one every second");

	# what failed is kept, each message of it, and in the end everything is settled
	if ($way =~ /error|timeout/)
	{
		ok(wait_for(sub { $inbox->dead_letters eq "failed=$poison queued=$poisons" }, 120), "$way: the poison is kept, and what follows it") or diag($inbox->dead_letters);
		is(sql("SELECT string_agg(DISTINCT sqlstate || attempts, ' ') FROM outbox.inbox_dead_letter WHERE consumer = '$name' AND state = 'failed'"),
			$way eq 'timeout' ? '570142' : 'P00012', "$way: after two attempts, with its error");
	}
	elsif ($way eq 'lock')
	{
		is(sql("SELECT count(*) FROM seen WHERE way = 'lock' AND key LIKE 'poison%'"), 0, 'lock: what needs the rows has to wait');
	}
	$locker->query_safe('ROLLBACK');
	$locker->quit;
	# in a long run some have met the lock so often that they wait for somebody
	ok(wait_for(sub { sql("SELECT outbox.redrive_inbox('$name', topic => '$topic')"); return $inbox->dead_letters eq '' }, 60), "$way: what it needs is there: it is applied")
	  or diag($inbox->dead_letters)
	  if $way eq 'lock';
	is(sql("SELECT count(*) FROM (SELECT number - lag(number, 1, 0) OVER (PARTITION BY key ORDER BY n) AS step FROM seen WHERE way = '$way' AND key <> 'key0') AS x WHERE step <> 1"), 0,
		"$way: in order per key");
	is($inbox->stop, 0, 'asked to stop');
	result("inbox held up: $way", { messages => $written, poisons => $way eq 'none' ? 0 : $poison, longest_ms_in_burst => $burst, longest_ms_steady => $steady },
		seed => $seed, what => 'inbox-consumer: from the timestamp to the commit of the slowest message of other keys, while poison comes');
}

done_testing();
