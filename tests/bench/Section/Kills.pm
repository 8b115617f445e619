# Kills.pm - throughput and lag, second by second, while things are killed.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Section::Kills;

use strict;
use warnings FATAL => 'all';

use Bench qw(heading keep record scaled);
use PgOutbox::Env;
use PgOutbox::Load;
use PgOutbox::Proc;
use PgOutbox::Tally;
use PgOutbox::Wait qw(wait_for);
use Rig;
use Time::HiRes qw(time);

my $slot = 'kills';

# One run, not pairs: what counts is its course (timeline.json) and the account at its end.
sub run
{
	heading('a steady load while the streamer is killed and the broker restarted');
	my $seconds = scaled(90) < 30 ? 30 : scaled(90);
	my $rate = 3000;
	my ($node, $kafka) = (Rig::node(), Rig::another_broker());
	my $topic = PgOutbox::Tally::topic($kafka, Rig::name('kills'), 4);
	$node->create_slot($slot);
	my $streamer = Rig::streamer($slot, {}, $kafka);
	my $tally = PgOutbox::Tally->new($kafka, $topic);
	my $load = PgOutbox::Load->new($node, topic => $topic, events => $rate * $seconds, rate => $rate, rows => 100, rollbacks => 0.05);

	my $kill = sub { $streamer->kill9; $streamer->start; };
	my @incidents = (
		[ 0.15, 'streamer killed', $kill ],
		[ 0.30, 'streamer killed', $kill ],
		[ 0.45, 'broker killed', sub { $kafka->kill9; $kafka->start(wait => 0); } ],
		[ 0.75, 'streamer killed', $kill ]);
	$streamer->start;
	$load->start;
	my $counter = _counter($kafka, $topic);
	my ($samples, $happened) = _watch($load, $counter, $seconds, @incidents);
	$counter->stop;
	# on a machine that is busy with other things it may still be starting
	$kafka->wait_ready(120);
	$load->wait(60) or die "the writers have not finished\n";
	$node->wait_confirmed($slot, undef, 60) or die "not all is confirmed\n" . $streamer->log_text;
	$tally->catch_up;
	my $committed = $load->committed;
	$streamer->stop(20) == 0 or die "streamer: exit status\n";
	keep('timeline.json', { rate => $rate, samples => $samples, incidents => $happened });
	record('kills_events', 'events', [$committed], 'events committed while the streamer was killed three times and the broker once');
	record('kills_missing', 'events', [ $committed - $tally->arrived ], 'of these, never arrived');
	record('kills_repeated', 'events', [ $tally->duplicates ], 'of these, arrived more than once (at-least-once)');
	record('kills_longest_gap_s', 's', [ _longest_gap($samples) ], 'the longest time without an arrival; the broker takes most of it to start');
	$node->safe_psql('postgres', 'DROP SCHEMA load CASCADE; TRUNCATE outbox.event');
	$tally->{consumer}->stop;
	$kafka->stop;
	Rig::loads()->drop($slot);
	return;
}

# A consumer that writes one octet for each message: a look at it costs nothing, whatever
# is going on.
sub _counter
{
	my ($kafka, $topic) = @_;
	return PgOutbox::Proc->start(
		name => 'counter',
		stdout => _counted(),
		cmd => [ 'kcat', '-C', '-q', '-E', '-u', '-b', $kafka->bootstrap, '-t', $topic, '-f', '.',
			'-X', 'isolation.level=read_committed', '-X', 'reconnect.backoff.max.ms=500' ]);
}

sub _counted { return PgOutbox::Env::testdir() . '/counted'; }
sub _arrived { return -s _counted() // 0; }

# Looks once a second, and lets happen what is due.
sub _watch
{
	my ($load, $counter, $seconds, @incidents) = @_;
	my (@samples, @happened);
	my $began = time;
	my $due = 1;
	my $over = wait_for(
		sub {
			my $at = time - $began;
			my $writing = $load->poll;
			die 'counter: ' . $counter->log_text if !$counter->alive;
			if (@incidents && $at >= $incidents[0][0] * $seconds)
			{
				my (undef, $what, $code) = @{ shift @incidents };
				push @happened, { at => _tenths($at), what => $what };
				$code->();
			}
			if ($at >= $due)
			{
				my $committed = $load->committed;
				push @samples, { at => _tenths(time - $began), committed => 0 + $committed, arrived => _arrived() };
				$due = int($at) + 1;
			}
			return !$writing && !@incidents && _arrived() >= $load->{events};
		},
		$seconds + 120,
		step => 0.05);
	die "after $seconds s and 120 more only " . _arrived() . " events are there\n" if !$over;
	return (\@samples, \@happened);
}

sub _tenths { return 0 + sprintf '%.1f', $_[0]; }

sub _longest_gap
{
	my ($samples) = @_;
	my ($longest, $since, $arrived) = (0, 0, 0);
	foreach my $sample (@$samples)
	{
		my $gap = $sample->{at} - $since;
		$longest = $gap if $gap > $longest;
		($since, $arrived) = ($sample->{at}, $sample->{arrived}) if $sample->{arrived} > $arrived;
	}
	return $longest;
}

1;
