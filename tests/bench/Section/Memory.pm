# Memory.pm - one transaction of a million rows.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Section::Memory;

use strict;
use warnings FATAL => 'all';

use Bench qw(each_of in_turn heading pairs record scaled);
use Rig;

# At a steady pace memory is measured by Latency.pm, in a backlog by Drain.pm.
sub run
{
	heading('one large transaction');
	my $rows = scaled(1_000_000);
	my $load = Rig::loads()->get('whole_jsonb', $rows);
	my ($runs) = in_turn(pairs(), sub { Rig::drain($load) });
	record('rss_large_transaction_mib', 'MiB', each_of($runs, 'rss_mib'),
		"the most memory that the streamer had resident in a transaction of $rows rows");
	record('drain_large_transaction_per_s', '1/s', each_of($runs, 'per_s'), 'events per second of that transaction, from exec to all acknowledged');
	Rig::loads()->forget($load);
	return;
}

1;
