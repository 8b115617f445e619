# Start.pm - from exec to the first event that is acknowledged.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Section::Start;

use strict;
use warnings FATAL => 'all';

use Bench qw(each_of in_turn heading pairs record);
use PgOutbox::Wait qw(wait_for);
use Rig;
use Time::HiRes qw(time);

sub run
{
	heading('starting');
	my ($runs) = in_turn(pairs(), \&_start);
	record('startup_ms', 'ms', each_of($runs, 'ms'),
		'from exec until the first event is acknowledged and confirmed, and the process has ended');
	return;
}

sub _start
{
	my $topic = Rig::topic('start', 1);
	my $slot = Rig::name('start');
	Rig::node()->create_slot($slot);
	Rig::node()->safe_psql('postgres', "SELECT outbox.emit('bench', '1', 'start', '{}', topic => '$topic')");
	my $end = Rig::node()->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');
	my $streamer = Rig::streamer($slot);
	my $began = time;
	$streamer->start("--endpos=$end");
	wait_for(sub { !$streamer->alive }, 20, step => 0.001) or die "no end\n";
	my $ms = (time - $began) * 1000;
	die "start: exit status\n" if $streamer->wait_exit(1) != 0;
	die "start: no event\n" if Rig::consumed($topic) != 1;
	Rig::loads()->drop($slot);
	return { ms => $ms };
}

1;
