# 260_latency.pl - from commit to consumer in milliseconds, and an idle streamer is idle.
#
# Single-row transactions at a steady pace.  A message's timestamp is its commit time in
# whole milliseconds; the consumer notes when it has it, by the same clock.  The commit
# is therefore up to a millisecond later than we count from: the figures err to our
# disadvantage.
#
# runs alone
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Consumer;
use PgOutbox::Proc;
use PgOutbox::Proof qw(result sized);
use PgOutbox::Wait qw(wait_for);
use Test::More;
use Time::HiRes qw(time);

my $rate = 500;
my $clients = 4;
my $warm = sized(3, 10);
my $seconds = sized(10, 60);
my $idle = sized(20, 60);
my $cpus = grep { /^processor\b/ } do { open my $fh, '<', '/proc/cpuinfo' or die; <$fh> };

my $node = PgOutbox::Node->ready('main', slot => 'outbox', fsync => 'on');
my $kafka = PgOutbox::Kafka->new(heap => '1g')->start;
my $topic = $kafka->create_topic('latency', 4);
my $streamer = PgOutbox::Streamer->new(
	node => $node, kafka => $kafka, slot => 'outbox',
	config => { outbox => { topic => $topic } });
$streamer->start;
$streamer->wait_for_log(qr/streaming from slot/, 30) or die $streamer->log_text;
my $consumer = PgOutbox::Consumer->start($kafka, $topic, { properties => { 'fetch.wait.max.ms' => 100 } });

# --- a steady pace: pgbench's schedule

my $script = PgOutbox::Env::testdir() . '/emit.sql';
open my $fh, '>', $script or die "$script: $!";
print $fh <<'END';
\set key random(1, 1000)
SELECT outbox.emit('order', :key::text, 'created', jsonb_build_object('key', :key::int, 'text', repeat('x', 200)));
END
close $fh;
my $bench = PgOutbox::Proc->start(
	name => 'pgbench',
	cmd => [
		PgOutbox::Env::pgbin() . '/pgbench', '-n', '-M', 'prepared', '-f', $script, '-R', $rate, '-c', $clients, '-j', 1,
		'-T', $warm + $seconds, $node->socket_dsn('postgres')
	]);
my ($first, @latency);
wait_for(
	sub {
		$consumer->poll(
			sub {
				my ($m) = @_;
				$first //= $m->{timestamp};
				push @latency, $m->{received} / 1000 - $m->{timestamp} if $m->{timestamp} - $first >= $warm * 1000;
			});
		return !$bench->alive;
	},
	$warm + $seconds + 60,
	step => 0.1);
is($bench->exit_code, 0, 'the load has run') or diag($bench->log_text);
ok($node->wait_confirmed('outbox'), 'all is confirmed');
my $sent = $node->safe_psql('postgres', 'SELECT count(*) FROM outbox.event');
$consumer->wait_count($sent, 10);
is($consumer->count, $sent, 'all is there');
cmp_ok(scalar @latency, '>', 0.9 * $rate * $seconds, sprintf '%d measured, %.0f a second', scalar @latency, @latency / $seconds);

@latency = sort { $a <=> $b } @latency;
sub quantile { return $latency[ $_[0] * $#latency ]; }
my %q = map { ("p$_" => sprintf('%.1f', quantile($_ / 100)) + 0) } 50, 90, 99, 99.9;
note(join ', ', map { "$_ $q{$_} ms" } sort keys %q);
cmp_ok($latency[0], '>=', 0, 'nobody has it before it is committed');
cmp_ok(quantile(0.5), '<', 5, "p50 $q{p50} ms");
cmp_ok(quantile(0.99), '<', 25, "p99 $q{p99} ms");

# --- idle

$consumer->stop;
my $cpu = $streamer->cpu_seconds;
my $start = time;
wait_for(sub { time - $start >= $idle }, $idle + 10, step => 1);
my $share = ($streamer->cpu_seconds - $cpu) / (time - $start) * 100;
cmp_ok($share, '<', 0.5, sprintf 'idle: %.2f %% of a core in %d s', $share, $idle);
is($streamer->stop, 0, 'stops when asked');

result(
	'latency',
	{
		rate => $rate,
		measured => scalar @latency,
		(map { ("${_}_ms" => $q{$_}) } keys %q),
		idle_cpu_percent => sprintf('%.2f', $share) + 0,
		processors => $cpus
	},
	what => 'milliseconds from commit to consumer, single-row transactions, fsync on, everything on one machine; processor time of an idle streamer'
);
done_testing();
