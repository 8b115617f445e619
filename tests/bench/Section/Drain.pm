# Drain.pm - a backlog in the slot, until the broker has acknowledged it.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Section::Drain;

use strict;
use warnings FATAL => 'all';

use Bench qw(each_of in_turn heading pairs ratio record scaled);
use Rig;

sub run
{
	heading('a backlog in the slot, until the broker has acknowledged it (acks=all, idempotent)');
	# coordinator and page cache are warm after that
	Rig::drain(Rig::loads()->get('single_jsonb', scaled(300_000)), outbox => { delivery => 'exactly-once' });
	my @exactly = map { @{ _shape($_, scaled($_ eq 'single' ? 300_000 : 1_000_000)) } } qw(single bulk);
	record('exactly_once_drain_vs_at_least_once', 'x', \@exactly, 'both together');
	return;
}

# Returns how exactly-once compares.
sub _shape
{
	my ($shape, $rows) = @_;
	my $load = Rig::loads()->get("${shape}_jsonb", $rows);
	my ($ours, $pgoutput, $exactly) = in_turn(pairs(),
		sub { Rig::drain($load) },
		sub { Rig::pgoutput($load) },
		sub { Rig::drain($load, outbox => { delivery => 'exactly-once' }) });
	my $us = 1e6 / $load->{rows};
	record("drain_${shape}_per_s", '1/s', each_of($ours, 'per_s'), "$shape: events per second, from exec to all acknowledged");
	record("drain_${shape}_exactly_once_per_s", '1/s', each_of($exactly, 'per_s'), "$shape: the same, exactly-once");
	record("pgoutput_decode_${shape}_per_s", '1/s', each_of($pgoutput, 'per_s'), "$shape: a reader that discards what it gets of pgoutput");
	record("drain_${shape}_vs_pgoutput_decode", 'x', ratio($ours, $pgoutput, 'per_s'),
		"$shape: against what that reader takes merely to get the same WAL");
	my $exactly_once = ratio($exactly, $ours, 'per_s');
	record("exactly_once_drain_${shape}_vs_at_least_once", 'x', $exactly_once, "$shape: exactly-once against at-least-once");
	record("drain_${shape}_streamer_cpu_us", 'us', each_of($ours, 'cpu', $us), "$shape: the streamer's processor time per event");
	record("drain_${shape}_walsender_cpu_us", 'us', each_of($ours, 'walsender_cpu', $us), "$shape: the walsender's processor time per event");
	record("drain_${shape}_broker_cpu_us", 'us', each_of($ours, 'broker_cpu', $us), "$shape: the broker's processor time per event");
	record("drain_${shape}_cpu_vs_pgoutput", 'x', ratio($ours, $pgoutput, 'cpu_both'),
		"$shape: walsender and streamer together against pgoutput's walsender and the discarding reader (lower is better)");
	record('rss_backlog_mib', 'MiB', each_of($ours, 'rss_mib'), 'the most memory that the streamer had resident in such a backlog')
	  if $shape eq 'bulk';
	return $exactly_once;
}

1;
