# 520_runbook.pl - what deploy/RUNBOOK.md has a person do works: its statements run, an
# event is passed over as it says, and after a slot is gone everything arrives.
#
# The statements are taken from the runbook itself.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Consumer;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use Test::More;

my $file = PgOutbox::Env::top() . '/deploy/RUNBOOK.md';
open my $fh, '<', $file or die "$file: $!";
my $runbook = do { local $/ = undef; <$fh> };
close $fh;

my $node = PgOutbox::Node->ready('main', slot => 'pg_outbox');
my $kafka = PgOutbox::Kafka->shared;
my $topic = $kafka->create_topic(PgOutbox::Kafka::unique_name('runbook'), 3);
my $streamer = PgOutbox::Streamer->new(
	node => $node, kafka => $kafka, slot => 'pg_outbox',
	config => { outbox => { topic => $topic, delivery => 'exactly-once' } });

# emit(KEYS): an event each; their ids, by key
my %id;
sub emit
{
	$id{$_} = $node->safe_psql('postgres', "SELECT outbox.emit('order', '$_', 'created', '{}')") foreach @_;
	return;
}

# streams(NAME): it starts, and everything is confirmed
sub streams
{
	my ($name) = @_;
	$streamer->start;
	ok($node->wait_confirmed('pg_outbox'), "$name: streams") or diag($streamer->log_text);
	return;
}

# arrived(): how often each key has, under its id
sub arrived
{
	my %count;
	foreach my $m (PgOutbox::Consumer->all($kafka, $topic))
	{
		my ($id) = map { $_->[1] } grep { $_->[0] eq 'id' } @{ $m->{headers} };
		$count{ $m->{key} }++ if $id eq ($id{ $m->{key} } // '');
	}
	return join ' ', map { "$_:$count{$_}" } sort keys %count;
}

# --- every statement runs

my @sql = $runbook =~ /^```sql\n(.*?)^```/msg;
push @sql, $runbook =~ /psql shop -c "(SELECT [^"]*FROM outbox\.status)"/s;
push @sql, grep { /^SELECT .*\bFROM pg_replication_slots\b/s } $runbook =~ s/^```.*?^```//msgr =~ /`([^`]+)`/g;
cmp_ok(scalar @sql, '>=', 5, scalar(@sql) . ' statements');
foreach my $sql (@sql)
{
	my ($status, $out, $err) = $node->psql('postgres', "BEGIN; $sql; ROLLBACK", on_error_stop => 1);
	is($status, 0, 'runs: ' . $sql =~ s/\s+/ /gr) or diag($err);
}

# --- an event that can't be delivered, passed over

streams('at first');
emit('before');
ok($node->wait_confirmed('pg_outbox'), 'one event is confirmed');
$node->safe_psql('postgres', "SELECT pg_logical_emit_message(true, 'pg_outbox', 'nonsense')");
emit('behind');
is($streamer->wait_exit(20), 3, 'a malformed event: exit status 3');
my ($end) = $streamer->log_text =~ m{passed over by advancing the slot \(pg_replication_slot_advance\) to (\w+/\w+)};
ok(defined $end, 'the hint names the end of its transaction') or diag($streamer->log_text);
is($streamer->stop // 0, 3, 'it stays ended');
is(arrived(), 'before:1', 'nothing behind it has arrived');
$node->safe_psql('postgres', "SELECT pg_replication_slot_advance('pg_outbox', '$end')");
my ($code, undef, $err) = $streamer->run('stream');
is($code, 2, 'exactly once: an advanced slot is refused');
like($err, qr/error\[progress-behind\]/, 'as the runbook says');
$streamer->configure({ outbox => { generation => 2 } });
streams('with another generation');
is(arrived(), 'before:1 behind:1', 'passed over: what is behind it has arrived, once');

# --- after a slot is gone

is($streamer->stop, 0, 'stopped');
emit('gap1', 'gap2');
my ($steps) = $runbook =~ /^## After a slot is gone$(.*?)^## /ms;
foreach my $command ($steps =~ /`([^`]*outbox-streamer slot [^`]*)`/g)
{
	foreach my $one (split / && /, $command)
	{
		my @args = split ' ', $one =~ s/^outbox-streamer //r;
		my ($status, $out, $why) = $streamer->run(@args);
		is($status, 0, $one) or diag($why);
	}
}
emit('after');
$streamer->configure({ outbox => { generation => 3 } });
streams('slot made anew');
is(arrived(), 'after:1 before:1 behind:1', 'the gap is there');
my ($again) = grep { /emit_message/ } @sql;
$again =~ s/created_at >= '[^']+'/created_at >= '2000-01-01'/ or die 'no time in it';
$node->safe_psql('postgres', $again);
ok($node->wait_confirmed('pg_outbox'), 'published again');
is(arrived(), 'after:2 before:2 behind:2 gap1:1 gap2:1', 'everything has arrived, under its id');
is($streamer->stop, 0, 'stopped');
done_testing();
