# 210_large_transaction.pl - one very large transaction passes in little memory.
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
use PgOutbox::Proof qw(result sized);
use PgOutbox::Wait qw(wait_for);
use Test::More;
use Time::HiRes qw(time);

my $rows = sized(100_000, 1_000_000);
my $limit_kib = 64 * 1024;

my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $kafka = PgOutbox::Kafka->shared;
my $topic = $kafka->create_topic(PgOutbox::Kafka::unique_name('large'), 6);
my $streamer = PgOutbox::Streamer->new(
	node => $node, kafka => $kafka, slot => 'outbox',
	config => { outbox => { topic => $topic } });
$streamer->start;
my $consumer = PgOutbox::Consumer->start($kafka, $topic);

$node->safe_psql('postgres', <<"END");
INSERT INTO outbox.event (aggregatetype, aggregateid, type, payload)
SELECT 'large', (i % 1000)::text, 'e', jsonb_build_object('i', i, 'filling', repeat(md5(i::text), 5))
FROM generate_series(1, $rows) i
END
my $end = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
my $committed = time;

# --- all of it, each key in order, all of one commit

my ($count, $disorder, $first) = (0, 0);
my (%last, %lsn);
my $take = sub {
	my ($m) = @_;
	my ($i) = $m->{value} =~ /"i": (\d+)/;
	my (undef, $lsn, $n) = split m{/}, PgOutbox::Consumer::header($m, 'outbox.position');
	$first //= time;
	$count++;
	$disorder++ if $i <= ($last{ $m->{key} } // 0) || hex $n != $i - 1 || $m->{key} ne $i % 1000;
	$last{ $m->{key} } = $i;
	$lsn{$lsn} = 1;
};
ok(wait_for(sub { $consumer->poll($take); $count >= $rows }, sized(120, 900), step => 0.005), "$rows rows arrive");
my $seconds = time - $committed;
ok($node->wait_confirmed('outbox', $end), 'confirmed');
$consumer->poll($take);
is($count, $rows, 'none twice');
is($disorder, 0, 'each key in order, numbered as they were written');
is(scalar keys %lsn, 1, 'one position of commit');

my $peak = $streamer->peak_rss_kib;
cmp_ok($peak, '<', $limit_kib, sprintf 'peak RSS %.1f MiB', $peak / 1024);
is($streamer->stop, 0, 'stops when asked');

result(
	'large_transaction',
	{
		rows => $rows,
		arrived => $count,
		peak_rss_mib => sprintf('%.1f', $peak / 1024) + 0,
		limit_mib => $limit_kib / 1024,
		seconds_to_first => sprintf('%.1f', $first - $committed) + 0,
		seconds => sprintf('%.1f', $seconds) + 0
	},
	what => 'rows of one transaction'
);
done_testing();
