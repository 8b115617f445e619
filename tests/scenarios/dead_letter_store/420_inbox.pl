# 420_inbox.pl - a dead-letter topic into a table by inbox-consumer: each message once.
#
# It is killed again and again between the commit of the database and that of the offset in
# Kafka: offsets are committed to Kafka once, when it starts, and then not for an hour, so
# what it has stored since then lies between the two.
#
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

my $kills = sized(8, 100);
my $chunk = 200;
my $seed = seed();

my $node = PgOutbox::Node->ready('main');
my $kafka = PgOutbox::Kafka->shared;
my $topic = $kafka->create_topic(PgOutbox::Kafka::unique_name('dead-letters'), 3);
my $inbox = PgOutbox::Inbox->new(node => $node, kafka => $kafka, topics => $topic,
	# an instance with a name of its own has its partitions back as soon as it is back
	config => { inbox => { commit_interval => '1h', batch_messages => 50 }, kafka => { 'group.instance.id' => 'one' } });

sub sql { return $node->safe_psql('postgres', $_[0]); }

# letters: half of them have an id, as those of the streamer; the other half have none
my $written = 0;
sub write_letters
{
	$kafka->produce($topic, map {
		{ key => int(rand 20), value => "letter $_", headers => [ [ reason => 'too large' ], ($_ % 2 ? () : [ id => "id $_" ]) ] }
	} $written + 1 .. $written + $chunk);
	$written += $chunk;
	return;
}

my ($between, $middle) = (0, 0);
my $before = 0;
foreach my $kill (1 .. $kills)
{
	write_letters();
	$inbox->start;
	$inbox->wait_handled($before + 1 + int(rand $chunk / 2), 60) or die "it stores nothing\n";
	$inbox->pause;
	my $now = $inbox->handled;
	$between++ if $now > $before;
	$middle++ if $now < $written;
	$inbox->kill9;
	$before = $now;
}
is($between, $kills, "killed $kills times, each time with rows that Kafka had not been told of");
note("$middle times with messages left");

$inbox->start;
ok($inbox->wait_handled($written), 'all letters are handled');
is(sql('SELECT count(*) FROM outbox.inbox_message'), $written, 'as many rows as letters');
is(sql(q{SELECT count(DISTINCT convert_from(payload, 'UTF8')) FROM outbox.inbox_message}), $written, 'each letter is there once');
is(sql(q{SELECT count(*) FROM outbox.inbox_message WHERE headers ->> 'reason' = 'too large'}), $written, 'with its reason');
is($inbox->ids, $written / 2, 'ids are recorded');
is(sql('SELECT count(*) FROM pg_prepared_xacts'), 0, 'nothing is prepared');

is($inbox->stop, 0, 'asked to stop');
result('dead letters stored by inbox-consumer', { letters => $written, kills => $kills, lost => 0, twice => 0 }, seed => $seed,
	what => 'killed between the commits of database and offset; each letter is stored once');

done_testing();
