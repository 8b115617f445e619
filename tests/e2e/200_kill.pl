# 200_kill.pl - the streamer is killed, the broker restarted, and nothing is lost.
#
# Events flow all the time, in transactions of 1 to 1,000 rows of which a tenth is
# rolled back.  The streamer is killed with SIGKILL at random places, always while
# something is unconfirmed; the broker is restarted, once orderly and once by SIGKILL.
# Then the source table and an independent consumer decide.
#
# What arrives twice must lie within what was unconfirmed when the streamer died, and
# that must be less than 100 ms of traffic.
#
# runs alone
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Load;
use PgOutbox::Tally;
use PgOutbox::Proof qw(result seed sized);
use PgOutbox::Wait qw(wait_for);
use Test::More;
use Time::HiRes qw(time);

my $events = sized(60_000, 1_000_000);
my $kills = sized(3, 10);
my $restarts = sized(1, 2);
my $rate = sized(3_000, 8_000);
my $seed = seed();

my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $kafka = PgOutbox::Kafka->new(heap => '768m')->start;
my $topic = PgOutbox::Tally::topic($kafka, 'load', 8);
my $streamer = PgOutbox::Streamer->new(node => $node, kafka => $kafka, slot => 'outbox');
my $load = PgOutbox::Load->new($node, topic => $topic, events => $events, rate => $rate, seed => $seed);
my $tally = PgOutbox::Tally->new($kafka, $topic);
my @killed;

my $limit;    # events that may be written before the incident at hand is over

sub allow
{
	my ($n) = @_;
	$load->allow($n < $limit ? $n : $limit);
	return;
}

sub confirmed { return PgOutbox::Tally::lsn($node->slot_lsn('outbox')); }

# Stops the streamer at a moment when something that has arrived is not confirmed, and
# kills it there.  SIGSTOP gives the time to look; it doesn't get to do anything else.
sub kill_streamer
{
	my ($at, @unconfirmed);
	# it is at work again since the last one
	if (@killed)
	{
		my $there = $killed[-1]{wal};
		wait_for(sub { $tally->poll; confirmed() >= $there }, 60) or die 'not confirmed';
	}
	foreach my $try (1 .. 500)
	{
		# something arrives: a good moment; or else some other one
		allow($tally->arrived + 2 * $rate);
		my $not_before = time + rand 0.03;
		# all that may be written has come and is confirmed: a little more
		wait_for(sub { $tally->poll && time >= $not_before }, 1, step => 0.001) or $limit += $rate / 5;
		$streamer->pause;
		$at = time;
		$tally->catch_up;
		@unconfirmed = $tally->unconfirmed(confirmed());
		last if @unconfirmed;
		$streamer->resume;
	}
	$streamer->kill9;
	$node->wait_until("SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'outbox'") or die 'slot is active';
	my $confirmed = confirmed();
	my $wal = PgOutbox::Tally::lsn($node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()'));
	$tally->catch_up;
	@unconfirmed = $tally->unconfirmed($confirmed);
	my ($oldest) = sort { $a <=> $b } map { $tally->{appended}[$_] } @unconfirmed;
	my $span = @unconfirmed ? $at * 1000 - $oldest : 0;
	push @killed, { confirmed => $confirmed, wal => $wal, unconfirmed => scalar @unconfirmed, ms => $span };
	cmp_ok(scalar @unconfirmed, '>', 0, "kill @{[scalar @killed]}: work was unconfirmed");
	cmp_ok($span, '<', 100, "kill @{[scalar @killed]}: less than 100 ms of it");
	note(sprintf '%d events arrived and unconfirmed, for %.0f ms', scalar @unconfirmed, $span);
	$streamer->start;
	return;
}

sub restart_broker
{
	my ($hard) = @_;
	note('broker ' . ($hard ? 'killed' : 'stopped') . " after $tally->{arrived}");
	allow($tally->arrived + 6 * $rate);
	$hard ? $kafka->kill9 : $kafka->stop;
	$kafka->start;
	return;
}

# --- in turn, spread over the flow

my @incidents = map { \&kill_streamer } 1 .. $kills;
foreach my $i (1 .. $restarts)
{
	my $hard = $i == $restarts;
	splice @incidents, 1 + rand @incidents, 0, sub { restart_broker($hard) };
}
my @at = sort { $a <=> $b } map { ($_ + 0.2 + rand 0.6) * $events / @incidents } 0 .. $#incidents;
$streamer->start;
$load->allow($at[0]);
$load->start;
my $started = time;
foreach my $i (0 .. $#incidents)
{
	$limit = $i < $#at ? $at[ $i + 1 ] : ($at[$i] + $events) / 2;
	allow($at[$i] + $rate);
	$tally->wait_arrived($at[$i], 120, sub { $load->poll }) or die "only $tally->{arrived} of $at[$i]: " . $streamer->log_text;
	$incidents[$i]->();
}
cmp_ok($load->committed, '<', $load->{events}, 'events flowed to the last of it');
$load->allow($load->{events});
ok($load->wait(300), 'writers are done');
ok($node->wait_confirmed('outbox', undef, 120), 'all is confirmed');
my $seconds = time - $started;

# --- the count

$tally->check($load);
my ($outside, %repeated) = (0);
foreach my $n ($tally->repeated)
{
	my $lsn = $tally->{lsn}[$n];
	my @because = grep { $killed[$_]{confirmed} < $lsn && $lsn <= $killed[$_]{wal} } 0 .. $#killed;
	$outside++ if @because < $tally->{times}[$n] - 1;
	$repeated{$_}++ foreach @because;
}
is($outside, 0, 'what arrived twice was unconfirmed at a kill');
my $rolled_back = $load->rolled_back;
cmp_ok($rolled_back, '>', $events / 50, "$rolled_back rolled back");
is($streamer->stop, 0, 'stops when asked');

my $worst = (sort { $b <=> $a } map { $_->{ms} } @killed)[0];
result(
	'kill',
	{
		events => $tally->{source},
		rolled_back => $rolled_back,
		kills => $kills,
		broker_restarts => $restarts,
		lost => $tally->{lost},
		duplicates => $tally->duplicates,
		unconfirmed_at_kills => [ map { $_->{unconfirmed} } @killed ],
		worst_unconfirmed_ms => sprintf('%.0f', $worst) + 0,
		seconds => sprintf('%.0f', $seconds) + 0
	},
	seed => $seed,
	what => 'events in transactions of 1 to 1,000 rows, a tenth rolled back, streamer killed with SIGKILL and broker restarted while they flow'
);
done_testing();
