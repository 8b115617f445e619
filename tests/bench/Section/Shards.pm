# Shards.pm - two streamers with a slot each, against one.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Section::Shards;

use strict;
use warnings FATAL => 'all';

use Bench qw(each_of in_turn heading pairs ratio record scaled);
use Rig;

sub run
{
	heading('shards: every walsender decodes all, each streamer sends its share');
	foreach my $shape (qw(single bulk))
	{
		my $load = Rig::loads()->get("${shape}_jsonb", scaled($shape eq 'single' ? 300_000 : 1_000_000));
		my ($one, $two) = in_turn(pairs(), sub { Rig::drain($load) }, sub { Rig::drain($load, shards => 2) });
		my $us = 1e6 / $load->{rows};
		record("drain_${shape}_shards_2_vs_1", 'x', ratio($two, $one, 'per_s'), "$shape: events per second of two shards together against one");
		record("drain_${shape}_shards_2_walsender_cpu_us", 'us', each_of($two, 'walsender_cpu', $us),
			"$shape: processor time of both walsenders per event");
		record("drain_${shape}_shards_2_streamer_cpu_us", 'us', each_of($two, 'cpu', $us),
			"$shape: processor time of both streamers per event");
	}
	return;
}

1;
