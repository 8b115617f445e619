# 130_replay.pl - rows sent again: the same messages, as many and as fast as asked for, and the slot untouched.
#
# brief: majors
# brief: sanitize
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Consumer;
use PgOutbox::Proc;
use PgOutbox::Wait qw(wait_for);
use Test::More;

my $kafka = PgOutbox::Kafka->shared;
my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $base = PgOutbox::Kafka::unique_name('replay');
my %topic = map { ($_ => $kafka->create_topic("$base.$_", 6)) } qw(order invoice other);
my $streamer = PgOutbox::Streamer->new(
	node => $node,
	kafka => $kafka,
	slot => 'outbox',
	config => { outbox => { topic => "$base.\${aggregatetype}" } });
my $consumer = PgOutbox::Consumer->start($kafka, "^$base\\.");
my $expected = 0;

sub header { return PgOutbox::Consumer::header(@_); }

# arrives(N, WHAT): N more messages, and no others; these
sub arrives
{
	my ($n, $what) = @_;
	my $from = $expected;
	$expected += $n;
	$consumer->wait_count($expected, 30);
	is($consumer->count, $expected, $what);
	my @all = $consumer->messages;
	return @all[ $from .. $#all ];
}

sub replay { my (@args) = @_; return $streamer->run('replay', @args); }

# replayed(N, ARGS): it ends well, and this many arrive
sub replayed
{
	my ($n, @args) = @_;
	my ($code, $out, $err) = replay(@args);
	is($code, 0, "replay @args") or diag($err);
	like($err, qr/ info: $n events replayed \(outbox\.replay: 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\)$/m, "says that $n are replayed");
	is($out, '', 'nothing else');
	return arrives($n, "$n messages arrive");
}

# by partition, in their order there
sub by_partition
{
	my (@m) = @_;
	my %by;
	push @{ $by{"$_->{topic} $_->{partition}"} }, $_ foreach sort { $a->{offset} <=> $b->{offset} } @m;
	return \%by;
}

# what a message is, but for the two headers that tell a replay from the first time
sub essence
{
	my ($m) = @_;
	return join '|', $m->{key}, $m->{value} // 'NULL',
	  map { "$_->[0]=" . ($_->[1] // 'NULL') } grep { $_->[0] !~ /^outbox\.(?:position|replay)$/ } @{ $m->{headers} };
}

# --- the first time: rows of all kinds

$node->safe_psql('postgres', <<'END');
SELECT outbox.emit('order', (i % 7)::text, 'Placed', jsonb_build_object('i', i, 'price', 10.50), headers => '{"shop": "Berlin", "none": null}')
FROM generate_series(1, 40) i;
BEGIN;
SELECT outbox.emit('order', '1', 'Paid', '{"deep": {"a": [1, 2.000]}}', traceparent => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
SELECT outbox.emit('order', '1', 'Gone', NULL);
SELECT outbox.emit('order', '1', 'Back', '"x"');
COMMIT;
SELECT outbox.emit('invoice', '9', 'Sent', '"ü"', key => 'another key', partition_key => 'p');
SELECT outbox.emit('invoice', '9', 'Sent', to_jsonb(repeat('x', 800000)));
BEGIN;
SELECT outbox.emit('order', '1', 'Never', '{}');
ROLLBACK;
END
my $rows = 45;
$streamer->start;
my $first = by_partition(arrives($rows, 'the first time'));
ok($node->wait_confirmed('outbox'), 'and is confirmed');

# --- the same again

$streamer->stop;
my $slot = 'SELECT restart_lsn, confirmed_flush_lsn, active FROM pg_replication_slots';
my $before = $node->safe_psql('postgres', $slot);
my $started = time;
{
	my @m = replayed($rows, '--all', '--no-wait');
	my $again = by_partition(@m);
	is_deeply([ sort keys %$again ], [ sort keys %$first ], 'on the same partitions');
	is_deeply([ map { essence($_) } @{ $again->{$_} } ], [ map { essence($_) } @{ $first->{$_} } ], "$_: the same keys, values and headers, in the same order")
	  foreach sort keys %$first;
	is(scalar(grep { defined header($_, 'outbox.position') } @m), 0, 'none has a position');
	my %mark = map { (header($_, 'outbox.replay') // 'none') => 1 } @m;
	is(scalar keys %mark, 1, 'all have the same header outbox.replay');
	is(scalar(grep { $_->{timestamp} < $started * 1000 - 1000 } @m), 0, 'and the present time');
	is($node->safe_psql('postgres', $slot), $before, 'the slot is where it was');
	$streamer->start;
}

# --- which ones

my $id = $node->safe_psql('postgres', q{SELECT id FROM outbox.event WHERE type = 'Paid'});
$node->safe_psql('postgres', 'CREATE TABLE wanted AS SELECT id FROM outbox.event WHERE payload @> \'{"i": 3}\' OR payload @> \'{"i": 4}\'');
foreach my $case (
	[ [ '--aggregate-type=invoice' ], 2 ],
	[ [ '--aggregate-type=order', '--aggregate-id=1' ], 9 ],
	[ [ "--id=$id" ], 1 ],
	[ [ '--query', 'SELECT id FROM wanted' ], 2 ],
	[ [ '--query', "SELECT id FROM wanted;\n;" ], 2 ],
	[ [ '--query', 'SELECT id FROM wanted --' ], 2 ],
	[ [ '--since=yesterday', '--until=tomorrow' ], $rows ],
	[ [ '--since=tomorrow' ], 0 ],
	[ [ '--until=yesterday' ], 0 ],
	[ [ "--aggregate-id=' OR true --" ], 0 ])
{
	my ($args, $n) = @$case;
	my ($code, $out) = replay('--dry-run', @$args);
	is("$code $out", "0 $n\n", "dry run: @$args");
}
is($consumer->count, $expected, 'a dry run sends nothing');
{
	my ($m) = replayed(1, "--id=$id", "--topic=$topic{other}", '--timestamps=original');
	is($m->{topic}, $topic{other}, 'to another topic');
	is(header($m, 'id'), $id, 'with its own id');
	my $ms = $node->safe_psql('postgres', "SELECT floor(extract(epoch FROM created_at) * 1000) FROM outbox.event WHERE id = '$id'");
	is($m->{timestamp}, $ms, 'and the time of its row');
	replayed(2, '--query', 'SELECT id FROM wanted');
	replayed(0, '--since=tomorrow');
}

# --- how fast

{
	my @m = replayed(40, '--query', q{SELECT id FROM outbox.event WHERE type = 'Placed'}, '--rate=20');
	my @received = sort { $a <=> $b } map { $_->{received} } @m;
	my $seconds = ($received[-1] - $received[0]) / 1e6;
	cmp_ok($seconds, '>', 1.7, sprintf '40 events at 20 a second take two seconds (%.1f)', $seconds);
	cmp_ok($seconds, '<', 10, 'and not much more');
}

# --- order: transactions, and commands of one

$streamer->stop;
{
	# a page with room for a small row, behind it one for four large ones: the fifth lies before the first
	$node->safe_psql('postgres', <<'END');
TRUNCATE outbox.event;
SELECT outbox.emit('order', 'fills', 'x', to_jsonb(repeat('x', 900)));
SELECT outbox.emit('order', 'fills', 'x', to_jsonb(repeat('x', 1800))) FROM generate_series(1, 3);
VACUUM outbox.event;
BEGIN;
SELECT outbox.emit('order', 'k', 'Step', to_jsonb(repeat('1', 1800)));
SELECT outbox.emit('order', 'k', 'Step', to_jsonb(repeat('2', 1800)));
SAVEPOINT a;
SELECT outbox.emit('order', 'k', 'Step', to_jsonb(repeat('3', 1800)));
RELEASE a;
SELECT outbox.emit('order', 'k', 'Step', to_jsonb(repeat('4', 1800)));
SELECT outbox.emit('order', 'k', 'Step', to_jsonb(repeat('5', 500)));
COMMIT;
SELECT outbox.emit('order', 'k', 'Step', to_jsonb(6));
END
	is($node->safe_psql('postgres', q{SELECT left(payload ->> 0, 1) FROM outbox.event WHERE aggregateid = 'k' ORDER BY ctid LIMIT 1}),
		5, 'the fifth row lies first in the table');
	my @m = replayed(6, '--aggregate-id=k', '--no-wait');
	is(join(' ', map { $_->{value} =~ /(\d)/ } @m), '1 2 3 4 5 6', 'in the order in which they were written');
}

# --- not before the first time: it waits for the slot

{
	my $proc = PgOutbox::Proc->start(
		name => 'waits',
		cmd => [ PgOutbox::Env::program('outbox-streamer'), '-c', $streamer->config_file, 'replay', '--aggregate-id=k' ]);
	ok($proc->wait_for_log(qr/waiting until slot "outbox" has confirmed/, 0, 20), 'what the slot has not confirmed is waited for');
	is($consumer->count, $expected, 'and not sent');
	$streamer->start;
	is($proc->wait_exit(30), 0, 'until a streamer has sent it');
	my @m = grep { $_->{key} eq 'k' } arrives(16, 'then it is sent again');
	is(join(' ', map { defined header($_, 'outbox.replay') ? 'again' : 'first' } @m), join(' ', ('first') x 6, ('again') x 6),
		'first as what it is, then as a replay');
}

# --- stopped and killed in the middle, while others are sent

$node->safe_psql('postgres', "SELECT outbox.emit('invoice', (i % 50)::text, 'Many', to_jsonb(i)) FROM generate_series(1, 3000) i");
arrives(3000, 'many events');
ok($node->wait_confirmed('outbox'), 'all confirmed');
foreach my $signal (qw(TERM KILL))
{
	my $proc = PgOutbox::Proc->start(
		name => "stopped-$signal",
		cmd => [ PgOutbox::Env::program('outbox-streamer'), '-c', $streamer->config_file, 'replay', '--aggregate-type=invoice', '--rate=500' ]);
	my $then = $consumer->count;
	wait_for(sub { $consumer->count > $then + 100 }, 30) or die $proc->log_text;
	$proc->signal($signal);
	$proc->wait_exit(20);
	if ($signal eq 'TERM')
	{
		is($proc->exit_code, 0, 'asked to stop: status 0');
		my ($n) = $proc->log_text =~ /info: (\d+) events replayed, not all/;
		is($consumer->wait_count($then + ($n // 0), 20), $then + ($n // 0), 'it says how many were sent');
	}
	$node->safe_psql('postgres', "SELECT outbox.emit('order', 'after', 'After$signal', '{}')");
	ok($consumer->wait_message(sub { (header($_[0], 'eventType') // '') eq "After$signal" && !defined header($_[0], 'outbox.replay') }, 20),
		"$signal: the streamer goes on");
	ok($node->wait_confirmed('outbox'), "$signal: so does the slot");
}
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'outbox-streamer replay'"), 0, 'no session is left');
ok($streamer->alive, 'the streamer is still there');
is($streamer->stop, 0, 'and stops when asked');
$expected = $consumer->count;

# --- however slowly they go, messages share batches: nobody waits for a single one

{
	my $one = $kafka->create_topic(PgOutbox::Kafka::unique_name('batches'), 1);
	my ($code, undef, $err) = replay('--aggregate-type=invoice', '--rate=1500', "--topic=$one", '--no-wait');
	is($code, 0, 'replayed to one partition') or diag($err);
	my $sent = $kafka->messages_in($one);
	my $batches = () = $kafka->dump_log($one, 0) =~ /^baseOffset: /mg;
	cmp_ok($batches, '<', $sent / 5, "$sent messages share batches ($batches)");
}

# --- what it refuses, in one line

foreach my $case (
	[ [], 1, 'usage' ],
	[ ['--all', 'more'], 1, 'usage' ],
	[ ['--all', '--rate=0'], 1, 'usage' ],
	[ ['--all', '--rate=1e3'], 1, 'usage' ],
	[ ['--all', '--rate=99999999999999999999'], 1, 'usage' ],
	[ ['--all', '--timeout=-1'], 1, 'usage' ],
	[ ['--all', '--topic=a/b'], 1, 'usage' ],
	[ ['--all', '--topic='], 1, 'usage' ],
	[ ['--all', '--timestamps=yesterday'], 1, 'usage' ],
	[ ['--all', '--table=public.event'], 1, 'table-missing' ],
	[ ['--id=x'], 1, 'bad-parameter' ],
	[ ['--since=nonsense'], 1, 'bad-parameter' ],
	[ ["--aggregate-id=\xff"], 1, 'bad-parameter' ],
	[ ['--query='], 1, 'bad-command' ],
	[ ['--query=SELECT 1) OR (true'], 1, 'bad-command' ],
	[ ['--query=SELECT 1; DROP TABLE wanted'], 1, 'bad-command' ],
	[ ['--query=DROP TABLE wanted'], 1, 'bad-command' ],
	[ ['--query=DELETE FROM wanted RETURNING id'], 1, 'bad-command' ],
	[ ['--query=WITH d AS (DELETE FROM wanted RETURNING id) SELECT id FROM d'], 1, 'not-supported' ],
	[ ['--query=SELECT id, id FROM wanted'], 1, 'bad-command' ],
	[ ['--query=SELECT id FROM wanted WHERE id = $1'], 1, 'bad-command' ],
	[ ['--query=SELECT 1'], 1, 'bad-command' ],
	[ ['--query=SELECT id FROM nowhere'], 1, 'table-missing' ],
	[ ['--query=SELECT id FROM outbox.event, pg_sleep(60)', '--timeout=1'], 2, 'canceled' ],
	[ ["--query=SELECT 'x'::uuid"], 1, 'bad-parameter' ])
{
	my ($args, $status, $code) = @$case;
	my ($got, $out, $err, $seconds) = replay(@$args);
	is($got, $status, "refused: @$args");
	like($err, qr/\Aoutbox-streamer: error\[\Q$code\E\]: [^\n]+\n\z/, "in one line: $code");
	cmp_ok($seconds, '<', 10, 'soon');
}
{
	$node->safe_psql('postgres', 'CREATE FUNCTION writes() RETURNS SETOF uuid VOLATILE LANGUAGE sql AS $$ DELETE FROM wanted RETURNING id $$');
	my ($code, $out, $err) = replay('--query', 'SELECT writes()', '--no-wait');
	is($code, 2, 'a query that writes by a function is refused');
	like($err, qr/error\[postgres-error\]: .*read-only transaction/, 'by the server') or diag($err);
	is($node->safe_psql('postgres', 'SELECT count(*) FROM wanted'), 2, 'and has not written');
	my $nowhere = $node->safe_psql('postgres', q{SELECT outbox.emit('nowhere', '1', 'x', '{}')});
	($code, $out, $err) = replay('--aggregate-type=nowhere', '--no-wait');
	is($code, 3, 'a topic that does not exist: status 3');
	like($err, qr/error\[topic-unknown\]: [^\n]*"$base\.nowhere"[^\n]*"$nowhere"/, 'and says which one, and which row') or diag($err);
}
{
	$node->safe_psql('postgres', 'CREATE ROLE stranger LOGIN');
	my ($code, undef, $err) = replay('--all', '-o', 'postgres.dsn=' . $node->dsn('postgres', user => 'stranger'));
	is($code, 1, 'a role without rights: status 1');
	like($err, qr/error\[permission-denied\]: .*; hint: .*outbox\.grant_stream\(\)/, 'and what gives them');
}
is($consumer->count, $expected, 'nothing of all this was sent');

# --- an own table, without Kafka

$node->safe_psql('postgres', <<'END');
CREATE SCHEMA shop;
CREATE TABLE shop."Event" (nr int PRIMARY KEY, body bytea, who text, "when" timestamp, xid xid8 DEFAULT pg_current_xact_id());
CREATE TABLE shop.plain (id int PRIMARY KEY, payload text);
INSERT INTO shop."Event" VALUES (1, '\x61ff0062', 'me', '2026-01-01 00:00:00');
END
my $own = PgOutbox::Streamer->new(
	node => $node,
	slot => 'outbox',
	config => {
		sink => { type => 'stdout' },
		outbox => { topic => 'own.${table}' },
		'table "shop.Event"' => { id => 'nr', payload => 'body', aggregateid => 'who', aggregatetype => "'it''s'", timestamp => 'when' },
		'table "shop.plain"' => {}
	});
{
	my ($code, $out, $err) = $own->run('replay', '--table=shop.Event', '--id=1', '--no-wait', '--timestamps=original');
	is($code, 0, 'an own table') or diag($err);
	like($out, qr/\Aown\.shop\.Event\tme\tid=1,outbox\.replay=[^\t,]+\ta\xff\x00b\n\z/, 'with its mapping, octet by octet');
	is(($own->run('replay', '--table=shop.Event', q{--aggregate-type=it's}, '-n'))[1], "1\n", 'a constant counts too');
	($code, $out, $err) = $own->run('replay', '--table=shop.Event', '--since=yesterday');
	like($err, qr/error\[missing-column\]: .*"created_at"/, 'a column that a selection needs');
	($code, $out, $err) = $own->run('replay', '--table=shop.plain', '--all');
	like($err, qr/error\[missing-column\]: .*"xid"/, 'a table without order');
	is($code, 1, 'is refused');
}
done_testing();
