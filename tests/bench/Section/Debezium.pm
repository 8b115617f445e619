# Debezium.pm - Debezium's connector with its outbox event router, against us.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Section::Debezium;

# One worker, Kafka Connect standalone, whose virtual machine stays warm: each run is a
# connector of its own, on a copy of the slot.  Its rate counts from the first events
# that a look at the topic finds to the last: what a connector needs to start is not in
# it, while ours counts from exec.  The converters are the cheapest there are (strings),
# compression is off as with us, and so is what is not needed: no schema changes, no
# snapshot, no heartbeat.

use strict;
use warnings FATAL => 'all';

use Bench qw(each_of in_turn heading median pairs ratio record scaled seconds);
use PgOutbox::Debezium;
use PgOutbox::Wait qw(wait_for);
use Rig;
use Section::Latency;
use Time::HiRes qw(time);

# the settings that its manual and others recommend for throughput and latency
my %settings = (
	stock => {},
	tuned => {
		'max.batch.size' => 20480,
		'max.queue.size' => 81920,
		'poll.interval.ms' => 10,
		'producer.override.linger.ms' => 5
	});

my $worker;

sub run
{
	heading("Debezium's connector and event router on Kafka Connect");
	die PgOutbox::Debezium::missing() . "\n" if !PgOutbox::Debezium::available();
	_startup();
	_drain(Rig::loads()->get('single_jsonb', scaled(100_000)), 'tuned');	# compiled and warm after that
	_against('single', scaled(500_000));
	_against('bulk', scaled(1_500_000));
	_latency();
	record('debezium_rss_mib', 'MiB', [ $worker->proc->peak_rss_kib / 1024 ],
		'the most memory that the worker had resident (-Xmx2g, its own default)');
	$worker->stop;
	return;
}

# The routed topic, where its publication is, and no names that a stored offset is known by.
sub _connector
{
	my ($slot, $topic, $how) = @_;
	return (
		'topic.prefix' => $slot,
		'publication.name' => 'bench',
		'publication.autocreate.mode' => 'disabled',
		'transforms.outbox.route.topic.replacement' => $topic,
		%{ $settings{$how} });
}

# From exec to the first event; the last of these workers stays.
sub _startup
{
	my ($runs) = in_turn(pairs() < 3 ? pairs() : 3, sub {
		$worker->stop if $worker;
		my ($slot, $topic) = (Rig::name('connect'), Rig::topic('connect', 1));
		Rig::node()->safe_psql('postgres', "SELECT pg_create_logical_replication_slot('$slot', 'pgoutput')");
		Rig::node()->safe_psql('postgres', "SELECT outbox.emit('bench', '1', 'start', '{}')");
		$worker = PgOutbox::Debezium->new(
			node => Rig::node(), kafka => Rig::broker(), slot => $slot, heap => '2g',
			connector => { _connector($slot, $topic, 'tuned') });
		my $began = time;
		$worker->start;
		wait_for(sub { Rig::broker()->messages_in($topic) > 0 }, 60, step => 0.05) or die "Debezium sends nothing\n";
		my $ms = (time - $began) * 1000;
		$worker->remove;
		Rig::loads()->drop($slot);
		return { ms => $ms };
	});
	record('debezium_startup_ms', 'ms', each_of($runs, 'ms'), 'from exec of the worker until the first event is in its topic');
	return;
}

sub _against
{
	my ($shape, $rows) = @_;
	my $load = Rig::loads()->get("${shape}_jsonb", $rows);
	my ($ours, $stock, $tuned) = in_turn(pairs(), sub { _alone($load) }, map { my $how = $_; sub { _drain($load, $how) } } qw(stock tuned));
	my $us = 1e6 / $load->{rows};
	record("drain_${shape}_vs_debezium", 'x', ratio($ours, $tuned, 'per_s'), "$shape: rate against Debezium's, tuned");
	record("drain_${shape}_vs_debezium_stock", 'x', ratio($ours, $stock, 'per_s'), "$shape: rate against Debezium's with its defaults");
	record("debezium_drain_${shape}_per_s", '1/s', each_of($tuned, 'per_s'), "$shape: Debezium's events per second, tuned");
	record("debezium_stock_drain_${shape}_per_s", '1/s', each_of($stock, 'per_s'), "$shape: Debezium's events per second with its defaults");
	record("debezium_drain_${shape}_cpu_us", 'us', each_of($tuned, 'cpu', $us), "$shape: the worker's processor time per event, tuned");
	record("drain_${shape}_cpu_vs_debezium", 'x', [ map { $ours->[$_]{cpu} / $tuned->[$_]{cpu} } 0 .. $#$ours ],
		"$shape: the streamer's processor time against the worker's (lower is better)");
	return;
}

# We have the machine to ourselves, as the worker has it in its turns: its virtual machine
# compiles and collects garbage for seconds after its last event.
sub _alone
{
	my ($load) = @_;
	$worker->proc->signal('STOP');
	my $got = eval { Rig::drain($load) };
	my $failed = $@;
	$worker->proc->signal('CONT');
	die $failed if !$got;
	return $got;
}

sub _drain
{
	my ($load, $how) = @_;
	my ($slot, $topic) = (Rig::loads()->copy($load, 'pgoutput'), Rig::topic('connect'));
	my $cpu = $worker->proc->cpu_seconds;
	$worker->replace(slot => $slot, connector => { 'table.include.list' => $load->{table}, _connector($slot, $topic, $how) });
	my ($first, $since, $there);
	my $all = wait_for(
		sub {
			$there = Rig::broker()->messages_in($topic);
			($first, $since) = ($there, time) if !defined $first && $there > 0;
			return $there >= $load->{rows};
		},
		300,
		step => 0.2);
	my $until = time;
	die "Debezium: $there of $load->{rows} events\n" if !$all;
	$cpu = $worker->proc->cpu_seconds - $cpu;
	my $count = Rig::consumed($topic);
	die "Debezium: $count of $load->{rows} events arrived\n" if $count != $load->{rows};
	die "Debezium: too few events to measure it\n" if $first >= $load->{rows};
	$worker->remove;
	Rig::loads()->drop($slot);
	Rig::broker()->delete_topic($topic);
	return { per_s => ($load->{rows} - $first) / ($until - $since), cpu => $cpu };
}

sub _latency
{
	foreach my $how (qw(stock tuned))
	{
		my ($runs) = in_turn(pairs() < 3 ? pairs() : 3, sub {
			my ($slot, $topic) = (Rig::name('connect'), Rig::topic('connect'));
			Rig::node()->safe_psql('postgres', "SELECT pg_create_logical_replication_slot('$slot', 'pgoutput')");
			$worker->replace(slot => $slot, connector => { _connector($slot, $topic, $how) });
			my $got = Rig::paced($topic, 500, seconds(10));
			$worker->remove;
			Rig::loads()->drop($slot);
			Rig::node()->safe_psql('postgres', 'TRUNCATE outbox.event');
			return $got;
		});
		my $prefix = $how eq 'stock' ? 'debezium_stock_' : 'debezium_';
		Section::Latency::record_latency($prefix, '', "Debezium, $how, 500 transactions per second", $runs);
	}
	return;
}

1;
