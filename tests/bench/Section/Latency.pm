# Latency.pm - from COMMIT to a consumer, at a steady pace.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Section::Latency;

use strict;
use warnings FATAL => 'all';

use Bench qw(each_of in_turn heading pairs record seconds);
use Rig;

# Runs that don't count, transactions a second: a broker's JVM that was started a minute
# ago is still compiling what it does at this pace, and keeps two cores busy with that.
my @warm_ups = (5000, 5000, 500, 500, 500);

my %modes = ('' => 'at-least-once', 'exactly_once_' => 'exactly-once');

sub run
{
	heading('COMMIT returned to the application, until a consumer has the event');
	foreach my $prefix (sort keys %modes)
	{
		_pace($_, $modes{$prefix}) foreach @warm_ups;
		foreach my $rate (500, 5000)
		{
			my ($runs) = in_turn(pairs(), sub { _pace($rate, $modes{$prefix}) });
			record_latency($prefix, $rate == 500 ? '' : "_at_$rate", "$modes{$prefix}, $rate transactions per second", $runs);
			record("${prefix}latency_commits_per_s_at_$rate", '1/s', each_of($runs, 'rate'),
				"$modes{$prefix}: the commits per second that this machine did when asked for $rate") if $rate > 500;
			_record_cost($runs) if $prefix eq '' && $rate == 500;
		}
	}
	return;
}

sub _pace
{
	my ($rate, $delivery) = @_;
	my $topic = Rig::topic('pace');
	my $slot = Rig::name('pace');
	Rig::node()->create_slot($slot);
	my $streamer = Rig::streamer($slot, { outbox => { delivery => $delivery } });
	$streamer->start;
	$streamer->wait_for_log(qr/streaming from slot/, 20) or die "no start\n";
	my $got = Rig::paced($topic, $rate, seconds(10));
	$got->{rss} = $streamer->rss_kib / 1024;
	$got->{cpu} = $streamer->cpu_seconds;
	my $stopped = $streamer->stop(20);
	die "streamer: exit status $stopped\n" if $stopped;
	Rig::loads()->drop($slot);
	Rig::node()->safe_psql('postgres', 'TRUNCATE outbox.event');
	return $got;
}

sub _record_cost
{
	my ($runs) = @_;
	record('rss_mib', 'MiB', each_of($runs, 'rss'), 'resident memory of the streamer at 500 transactions per second');
	record('cpu_at_500_us', 'us', [ map { $_->{cpu} * 1e6 / (500 * (seconds(10) + 2)) } @$runs ],
		"the streamer's processor time per event at 500 transactions per second, its start included");
	return;
}

# record_latency(PREFIX, SUFFIX, WHAT, RUNS): quantiles, and how they are distributed.
sub record_latency
{
	my ($prefix, $suffix, $what, $runs) = @_;
	record("${prefix}latency_${_}_ms$suffix", 'ms', each_of($runs, $_), $what) foreach qw(p50 p99);
	my @sum;
	foreach my $run (@$runs)
	{
		my @counts = split /,/, $run->{histogram};
		$sum[$_] = ($sum[$_] // 0) + $counts[$_] foreach 0 .. $#counts;
	}
	record("${prefix}latency_histogram$suffix", 'events', \@sum,
		'how many arrived within each 0.25 ms, all runs together; the last counts the rest', quiet => 1);
	return;
}

1;
