# 300_exactly_once.pl - killed again and again, and each event is there exactly once.
#
# Transactions over three topics and a dozen partitions flow all the time.  The
# streamer is killed with SIGKILL at random moments, always while something that has
# reached the broker is unconfirmed, and the broker is restarted.  A read_committed
# consumer looks after each kill (no transaction in part) and at the end (nothing
# lost, repeated or reordered).
#
# In the control run the progress counts for nothing (a new generation at every
# start), and the same checker has to see duplicates.
#
# runs alone
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Consumer;
use PgOutbox::Exact;
use PgOutbox::Proof qw(result seed full_size);
use PgOutbox::Wait qw(wait_for);
use Test::More;
use Time::HiRes qw(sleep time);

my $events = full_size() ? 300_000 : 30_000;
my $kills = full_size() ? 50 : 6;
my $restarts = full_size() ? 5 : 1;
my $rate = full_size() ? 2_500 : 2_000;
my $seed = seed();

my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $kafka = PgOutbox::Kafka->new(heap => '768m')->start;
my @topics = map { $kafka->create_topic("exact$_", 4) } 1 .. 3;
my $streamer = PgOutbox::Streamer->new(
	node => $node,
	kafka => $kafka,
	slot => 'outbox',
	config => {
		# so that there is always something in Kafka that PostgreSQL doesn't know of
		postgres => { confirm_interval => '500ms' },
		outbox => { delivery => 'exactly-once' }
	});
my $exact = PgOutbox::Exact->new($node, $kafka, topics => \@topics, seed => $seed);

# sees what reaches the broker, committed or not
my $live = PgOutbox::Consumer->start($kafka, @topics, { isolation => 'read_uncommitted' });
my ($newest, $reached) = (0, 0);

sub look
{
	$live->poll(
		sub {
			my $lsn = PgOutbox::Exact::lsn($_[0]);
			$newest = $lsn if $lsn > $newest;
			$reached++;
		});
	return;
}

sub confirmed
{
	my ($high, $low) = split m{/}, $node->slot_lsn('outbox');
	return hex($high) << 32 | hex $low;
}

# Events flow as long as there are incidents to come, however slow the machine.
my $total = 0;

sub flow
{
	my ($n) = @_;
	return if $exact->writing;
	$exact->wait_written(1);
	$exact->write(events => $n // 3000, rate => $rate);
	$total += $n // 3000;
	return;
}

# Kills at a random moment, if something in Kafka is unconfirmed then; else at another.
# SIGSTOP gives the time to look; it doesn't get to do anything else.
sub kill_streamer
{
	my ($name) = @_;
	my $unconfirmed = 0;
	my $before = $reached;
	wait_for(sub { flow(); look(); $reached > $before + 20 }, 60) or die 'nothing flows: ' . $streamer->log_text;
	foreach my $try (1 .. 200)
	{
		flow();
		sleep rand 0.1;
		$streamer->pause;
		look();
		$unconfirmed = $newest - confirmed();
		last if $unconfirmed > 0;
		$streamer->resume;
	}
	$streamer->kill9;
	cmp_ok($unconfirmed, '>', 0, "$name: octets of WAL in Kafka and unconfirmed");
	return;
}

# A coordinator that had begun to commit completes that by itself; then nothing is
# there in part.
sub no_part
{
	my ($name) = @_;
	my $now;
	wait_for(sub { $now = $exact->snapshot; !$now->{partial} }, 10);
	is($now->{partial}, 0, "$name: no transaction in part, of $now->{events} events");
	is($now->{duplicates}, 0, "$name: none twice");
	return;
}

my @incidents = map { my $n = $_; sub { kill_streamer("kill $n"); no_part("kill $n") if $n % 5 == 1 || !full_size(); $streamer->start } } 1 .. $kills;
foreach my $i (1 .. $restarts)
{
	splice @incidents, 1 + rand @incidents, 0, sub {
		note('broker ' . ($i % 2 ? 'killed' : 'stopped'));
		$i % 2 ? $kafka->kill9 : $kafka->stop;
		$kafka->start;
	};
}
my @at = sort { $a <=> $b } map { ($_ + 0.2 + rand 0.6) * $events / @incidents } 0 .. $#incidents;

$streamer->start;
flow($events);
my $started = time;
foreach my $i (0 .. $#incidents)
{
	# what was aborted has reached the broker as well
	wait_for(sub { look(); $reached >= $at[$i] || !$exact->writing }, 180) or die 'stuck: ' . $streamer->log_text;
	$incidents[$i]->();
}
ok($exact->wait_written(300), 'all is written');
ok($node->wait_confirmed('outbox', undef, 120), 'and confirmed');
my $seconds = time - $started;

my $count = $exact->count;
is($count->{committed}, $total, "$total events were committed");
is($count->{lost}, 0, 'losses: 0');
is($count->{duplicates}, 0, 'duplicates: 0');
is($count->{reorderings}, 0, 'reorderings: 0');
is($count->{partial} + $count->{foreign}, 0, 'no transaction in part, none that was rolled back');
my $aborted = -$count->{events};
$exact->visible('read_uncommitted', sub { $aborted++ });
cmp_ok($aborted, '>', 0, "$aborted events were aborted: kills hit open transactions");
result(
	'exactly_once',
	{
		events => $count->{committed},
		kills => $kills,
		broker_restarts => $restarts,
		losses => $count->{lost},
		duplicates => $count->{duplicates},
		reorderings => $count->{reorderings},
		partial_transactions => $count->{partial},
		aborted => $aborted,
		seconds => int $seconds
	},
	seed => $seed,
	what => 'a read_committed consumer of three topics, streamer killed with SIGKILL and broker restarted while events flow, exactly-once');

# --- control: without progress the checker sees what happens

# A kill repeats only what was committed in Kafka and unconfirmed: that is looked for now.
$live->stop;
$live = PgOutbox::Consumer->start($kafka, @topics, { isolation => 'read_committed' });
$newest = 0;
my $from = $node->safe_psql('postgres', "SELECT nextval('exact.t')");
flow(6_000);
my $generation = 1;
foreach my $n (1 .. 3)
{
	kill_streamer("control kill $n");
	$streamer->configure({ outbox => { generation => ++$generation } });
	$streamer->start;
}
ok($exact->wait_written(60), 'control: all is written');
ok($node->wait_confirmed('outbox', undef, 60), 'and confirmed');
my $control = $exact->count($from);
is($control->{lost}, 0, 'control: losses: 0');
cmp_ok($control->{duplicates}, '>', 0, "control: duplicates: $control->{duplicates}");
result('exactly_once_control', { events => $control->{committed}, duplicates => $control->{duplicates}, kills => 3 },
	what => 'the same with the progress left out: the checker sees duplicates');

is($streamer->stop, 0, 'stops when asked');
done_testing();
