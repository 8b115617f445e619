# 610_inbox_kill.pl - inbox-consumer is killed and rebalanced: each message is applied once, in order per key.
#
# Three instances share a topic into which messages flow all the time, a part of them
# twice.  Instances are killed with SIGKILL at random places, always while something is
# not applied, and leave and come back in an orderly way.  The SQL records what it was
# called with, in the order of the calls; that table decides.
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

my $messages = sized(12_000, 200_000);
my $kills = sized(4, 50);
my $rebalances = sized(2, 20);
my $seed = seed();

my $partitions = 6;
my $keys = 300;
my $node = PgOutbox::Node->ready('main');
my $kafka = PgOutbox::Kafka->shared;
my $topic = $kafka->create_topic(PgOutbox::Kafka::unique_name('load'), $partitions);

sub sql { return $node->safe_psql('postgres', $_[0]); }
sql('CREATE TABLE applied (n bigserial PRIMARY KEY, key int, number int)');

my @inbox = map {
	PgOutbox::Inbox->new(node => $node, kafka => $kafka, topics => $topic, consumer => 'app', name => "inbox$_",
		config => { inbox => { sql => 'INSERT INTO applied (key, number) VALUES (:key::int, :payload::int)', batch_messages => 200 } })
} 1 .. 3;

# ---- messages: number i of a key has the id KEY-i; a tenth comes again later

my (@number, @again);
my ($written, $repeated) = (0, 0);

sub write_some
{
	my ($n) = @_;
	my @batch;
	$n = $messages - $written if $n > $messages - $written;
	for (1 .. $n)
	{
		my $key = int rand $keys;
		my $m = { key => $key, value => ++$number[$key], headers => { id => "$key-$number[$key]" } };
		push @batch, $m;
		push @again, $m if rand() < 0.1;
	}
	$written += $n;
	my @repeats = splice @again, 0, int(@again / 2);
	$repeated += @repeats;
	$kafka->produce($topic, @batch, @repeats);
	return;
}

sub left { return $written + $repeated - $inbox[0]->handled; }

# Stops an instance while something is left to apply, and does WHAT to it there.
my @left;
sub strike
{
	my ($one, $what) = @_;
	wait_for(
		sub {
			write_some(int(($messages - $written) / ($kills + $rebalances + 1 - @left)) + 1) if left() < 200;
			$one->pause;
			my $left = left();
			push @left, $left if $left > 0;
			$what->() if $left > 0;
			$one->resume if $one->alive;
			return $left > 0;
		}, 30) or die "nothing left to apply\n";
	return;
}

$_->start foreach @inbox;
ok($_->wait_for_log(qr/info: consuming \d+ partitions/, 30), 'an instance consumes') foreach @inbox;

my @todo = ((map { 'kill' } 1 .. $kills), (map { 'leave' } 1 .. $rebalances));
while (@todo)
{
	my $what = splice @todo, int rand @todo, 1;
	my $one = $inbox[rand @inbox];
	my $from = -s $one->log;
	if ($what eq 'kill')
	{
		strike($one, sub { $one->kill9 });
		$one->start;
	}
	else
	{
		strike($one, sub { });
		my $code = $one->stop(20);
		fail("asked to stop: exit status $code") if $code != 0;
		$one->start;
	}
	$one->wait_for_log(qr/info: consuming \d+ partitions/, 40, $from) or die "it doesn't come back\n";
}
write_some($messages);

ok($inbox[0]->wait_handled($written + $repeated, 120), 'all is handled') or diag("$written + $repeated written, " . $inbox[0]->handled . ' handled');
cmp_ok($repeated, '>', $messages / 50, 'messages came twice');
is(scalar @left, $kills + $rebalances, 'something was left to apply at each strike') or diag("@left");
is(sql('SELECT count(*) FROM applied'), $messages, 'as many are applied as there are messages');
is(sql('SELECT count(*) FROM (SELECT DISTINCT key, number FROM applied) AS x'), $messages, 'each once');
is(sql('SELECT count(*) FROM (SELECT number - lag(number, 1, 0) OVER (PARTITION BY key ORDER BY n) AS step FROM applied) AS x WHERE step <> 1'), 0,
	'in order per key');
is($inbox[0]->ids, $messages, 'each id is recorded');
is($_->stop, 0, 'asked to stop') foreach @inbox;
is(sql("SELECT count(*) FROM pg_prepared_xacts"), 0, 'no prepared transaction was ever needed');
result('inbox applies once', { messages => $messages, repeated => $repeated, kills => $kills, rebalances => $rebalances, epochs => sql('SELECT max(epoch) FROM outbox.inbox_offset') },
	seed => $seed, what => 'inbox-consumer, three instances, killed and rebalanced: each message applied once, in order per key');

# ---- an instance that was stopped, and goes on when its partitions are another's.  Without
# ids, so that nothing but the fence is between it and a second application.

my $zombies = $kafka->create_topic(PgOutbox::Kafka::unique_name('zombie'), 1);
sql('TRUNCATE applied');
my ($old, $new) = map {
	PgOutbox::Inbox->new(node => $node, kafka => $kafka, topics => $zombies, consumer => 'zombie', name => $_,
		config => { inbox => { sql => 'INSERT INTO applied (key, number) SELECT :key::int, :payload::int FROM (SELECT pg_advisory_xact_lock_shared(7)) AS x', batch_messages => 5 } })
} qw(old new);
sub number { return map { { key => 1, value => $_ } } @_; }
sub owner { return sql("SELECT epoch FROM outbox.inbox_offset WHERE consumer = 'zombie'"); }

$kafka->produce($zombies, number(1));
$old->start;
ok($old->wait_handled(1), 'one instance consumes');

# stopped in the middle of a batch: its server process waits for a lock, and holds others
my $locker = $node->background_psql('postgres');
$locker->query_safe('SELECT pg_advisory_lock(7)');
$kafka->produce($zombies, number(2 .. 21));
ok($node->wait_until(q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'advisory' AND application_name = 'inbox-consumer'}, 20), 'it is in the middle of a batch');
$old->pause;
$new->start;
ok($new->wait_for_log(qr/info: consuming 1 partitions/, 40), 'stopped there, it can not keep another from taking over');
is(owner(), 2, 'which has it now');
$locker->query_safe('SELECT pg_advisory_unlock(7)');
ok($new->wait_handled(21), 'and goes on with what it had');
my $from = -s $old->log;
$old->resume;
ok($old->wait_for_log(qr/warning\[connection-lost\]|info: consuming 0 partitions/, 20, $from), 'the old one finds that it was cut off');

# stopped with a batch in its hands, when no transaction is open
$new->stop;
ok(wait_for(sub { owner() > 2 }, 20), 'the old one has it again');
$kafka->produce($zombies, number(22));
ok($old->wait_handled(22), 'and goes on');
$locker->query_safe('SELECT pg_advisory_lock(7)');
$kafka->produce($zombies, number(23 .. 42));
ok($node->wait_until(q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'advisory' AND application_name = 'inbox-consumer'}, 20), 'one batch is under way');
my $epoch = owner();
$old->pause;
$locker->query_safe('SELECT pg_advisory_unlock(7)');
$new->start;
ok($new->wait_handled(42, 40), 'another takes over and applies the rest');
cmp_ok(owner(), '>', $epoch, 'under a new epoch');
$old->resume;
ok($old->wait_for_log(qr/another instance has taken a partition|info: consuming 0 partitions/, 20, $from), 'the old one gives up what it has in its hands');

# and without any doubt about who was first: the epoch moves under its feet
$new->stop;
$kafka->produce($zombies, number(43));
ok($old->wait_handled(43, 40), 'the old one has it again');
$from = -s $old->log;
sql("UPDATE outbox.inbox_offset SET epoch = epoch + 1 WHERE consumer = 'zombie'");
$kafka->produce($zombies, number(44));
ok($old->wait_for_log(qr/another instance has taken a partition/, 20, $from), 'a batch of an older epoch is refused');
ok($old->wait_handled(44, 40), 'it joins again, and goes on');
is(sql("SELECT string_agg(number::text, ' ' ORDER BY n) FROM applied"), join(' ', 1 .. 44), 'each message is applied once, in order');
$locker->quit;
is($old->stop, 0, 'asked to stop');

done_testing();
