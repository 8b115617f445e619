# Growth.pm - whether the rate depends on how much there is, and of what.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Section::Growth;

use strict;
use warnings FATAL => 'all';

use Bench qw(each_of in_turn heading pairs ratio record scaled);
use Rig;

my $far_topics = 1000;

sub run
{
	heading('growing backlogs, topics, keys, and the WAL of others');
	_backlogs(pairs(), 0.1, 1);
	_unrelated();
	_topics_and_keys();
	return;
}

# The same, too large for every day: BENCH=growth10.
sub run_large
{
	heading('a very large backlog');
	_backlogs(pairs() < 3 ? pairs() : 3, 0.1, 10);
	return;
}

# How many rows of bulk transactions make a gigabyte of WAL.
sub _rows_per_gb
{
	my $load = Rig::loads()->get('bulk_wide', scaled(100_000));
	return $load->{rows} / $load->{octets} * 1e9;
}

sub _backlogs
{
	my ($runs, $small, $large) = @_;
	my $per_gb = _rows_per_gb();
	my @sizes = ($small, $large);
	my @load = map { Rig::loads()->get('bulk_wide', int(scaled($_ * $per_gb) / 1000 + 1) * 1000) } @sizes;
	my @got = in_turn($runs, map { my $load = $_; sub { Rig::drain($load) } } @load);
	foreach my $i (0, 1)
	{
		# a name belongs to one section
		next if $i == 0 && $large > 1;
		record("drain_backlog_$sizes[$i]gb_per_s", '1/s', each_of($got[$i], 'per_s'),
			"bulk: events per second, $sizes[$i] GB of WAL behind the slot, from exec to all acknowledged");
	}
	record("drain_backlog_$sizes[1]gb_vs_$sizes[0]gb", 'x', ratio($got[1], $got[0], 'per_s'),
		"bulk: the rate with $sizes[1] GB against that with $sizes[0] GB, where starting is a larger share");
	record("rss_backlog_$sizes[1]gb_mib", 'MiB', each_of($got[1], 'rss_mib'),
		"the most memory that the streamer had resident with $sizes[1] GB of WAL behind the slot");
	Rig::loads()->forget($_) foreach @load;
	return;
}

# One load, three mappings of its columns: what differs is where events go.  The topics
# stay, and make the broker slower to answer: nothing else may come after them.  Their
# index files are small: a partition has two of 10 MB each, which the broker maps, and a
# kernel that reads ahead in large pages fills 20 GB of cache with their zeros.
sub _topics_and_keys
{
	my $load = Rig::loads()->get('bulk_wide', scaled(300_000));
	Rig::broker()->create_topic("bench.far.$_", 1, 'segment.index.bytes' => 65536) foreach 0 .. $far_topics - 1;
	my $there = 0;
	my $arrived = sub {
		my $now = Rig::consumed_like('^bench\.far\.');
		(my $new, $there) = ($now - $there, $now);
		return $new;
	};
	my ($near, $keys, $topics) = in_turn(pairs(),
		sub { Rig::drain($load) },
		sub { Rig::drain($load, table => { key => 'far_key' }) },
		sub { Rig::drain($load, table => { topic => 'far_topic' }, arrived => $arrived) });
	record('drain_1000_topics_vs_one', 'x', ratio($topics, $near, 'per_s'),
		"bulk: events spread over $far_topics topics of one partition, against one topic of four");
	record('drain_1000_topics_per_s', '1/s', each_of($topics, 'per_s'), "bulk: events per second to $far_topics topics");
	record('rss_1000_topics_mib', 'MiB', each_of($topics, 'rss_mib'), "the most memory that the streamer had resident with $far_topics topics");
	record('drain_100000_keys_vs_10000', 'x', ratio($keys, $near, 'per_s'), 'bulk: 100,000 keys against 10,000');
	Rig::loads()->forget($load);
	return;
}

sub _unrelated
{
	my $alone = Rig::loads()->get('single_wide', scaled(10_000));
	my $load = Rig::loads()->get('mixed_wide', scaled(10_000));
	my $times = ($load->{octets} - $alone->{octets}) / $alone->{octets};
	my ($ours, $pgoutput) = in_turn(pairs(), sub { Rig::drain($load) }, sub { Rig::pgoutput($load) });
	record('unrelated_wal_times', 'x', [$times], "octets of other tables' WAL for each of the outbox's");
	record('drain_unrelated_wal_mb_per_s', 'MB/s', each_of($ours, 'per_s', $load->{octets} / 1e6 / $load->{rows}),
		"one-row transactions among so much unrelated WAL: WAL passed per second");
	record('drain_unrelated_wal_vs_pgoutput_decode', 'x', ratio($ours, $pgoutput, 'per_s'),
		'the same, against what a reader takes merely to get it from pgoutput');
	Rig::loads()->forget($_) foreach $load, $alone;
	return;
}

1;
