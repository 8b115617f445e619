# 010_basic.pl - events of every kind arrive as they were written, and no others do.
#
# Rows by emit(), by plain INSERT and by COPY, logical messages, tombstones, keys,
# partition keys, topics and headers, seen by three consumers that share no code with
# the streamer: tests/tools/ktool, kcat and Java's console consumer.
#
# brief: majors
# brief: sanitize
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';
use utf8;

use Encode qw(decode_utf8 encode_utf8);
use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Consumer;
use Test::More;

my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $kafka = PgOutbox::Kafka->shared;
my $base = PgOutbox::Kafka::unique_name('basic');
my @topics = map { $kafka->create_topic("$base.$_", 8) } qw(order invoice own);
my $streamer = PgOutbox::Streamer->new(
	node => $node,
	kafka => $kafka,
	slot => 'outbox',
	config => { outbox => { topic => "$base.\${aggregatetype}" } });
my $consumer = PgOutbox::Consumer->start($kafka, "^$base\\.");
my $expected = 0;

# sent(SQL, N): runs it and waits for N more messages; returns these, by position
sub sent
{
	my ($sql, $n) = @_;
	my $from = $expected;
	$node->safe_psql('postgres', encode_utf8($sql));
	$expected += $n;
	$consumer->wait_count($expected, 20);
	my @all = $consumer->messages;
	my @new = sort { header($a, 'outbox.position') cmp header($b, 'outbox.position') } @all[ $from .. $#all ];
	is(scalar @new, $n, "$n message(s)");
	return @new;
}

sub header { return PgOutbox::Consumer::header(@_); }

# what came before the streamer ran is its backlog
$node->safe_psql('postgres', "SELECT outbox.emit('order', 'first', 'created', '{}')");
$streamer->start;
$expected = 1;
is($consumer->wait_count(1, 30), 1, 'what was committed before the start arrives');

# --- emit

my $id = '01234567-89ab-cdef-0123-456789abcdef';
my ($m) = sent("SELECT outbox.emit('order', '4711', 'created', '{\"b\": [], \"a\": null, \"n\": 12345678901234567890.00100}', id => '$id')", 1);
is($m->{topic}, "$base.order", 'emit: topic by aggregate type');
is($m->{key}, '4711', 'emit: key is the aggregate id');
is($m->{value}, '{"a": null, "b": [], "n": 12345678901234567890.00100}', 'emit: payload, digit by digit');
is(header($m, 'id'), $id, 'emit: header id');
is(header($m, 'eventType'), 'created', 'emit: header eventType');
like(header($m, 'outbox.position'), qr{^00000001/[0-9A-F]{16}/00000000$}, 'emit: header with the position');
is(scalar @{ $m->{headers} }, 3, 'emit: no other headers');
my $age = $m->{received} / 1000 - $m->{timestamp};
ok($age > -1 && $age < 20000, 'emit: timestamp is the commit time');

# --- plain INSERT, several in a transaction, savepoints, rollbacks

my @m = sent(<<'END', 5);
BEGIN;
INSERT INTO outbox.event (aggregatetype, aggregateid, type, payload) VALUES ('order', '1', 'created', '1'), ('order', '2', 'created', '2');
SAVEPOINT a;
INSERT INTO outbox.event (aggregatetype, aggregateid, type, payload) VALUES ('order', '3', 'never', '3');
ROLLBACK TO a;
SAVEPOINT b;
INSERT INTO outbox.event (aggregatetype, aggregateid, type, payload) VALUES ('invoice', '4', 'created', '4');
RELEASE b;
COPY outbox.event (aggregatetype, aggregateid, type, payload) FROM STDIN;
order	5	created	5
order	6	created	\N
\.
COMMIT;
END
is(join(' ', map { "$_->{key}=" . ($_->{value} // 'NULL') } @m), '1=1 2=2 4=4 5=5 6=NULL', 'INSERT and COPY: in their order');
is($m[2]{topic}, "$base.invoice", 'INSERT: another topic');
my %lsn = map { (header($_, 'outbox.position') =~ m{/(.*)/} ? $1 : '' => 1) } @m;
is(scalar keys %lsn, 1, 'INSERT: one commit, one LSN');
is(join(' ', map { header($_, 'outbox.position') =~ m{(\w+)$} ? hex $1 : '' } @m), '0 1 2 3 4', 'INSERT: index in the transaction');
ok(!defined $m[4]{value}, 'tombstone');

$node->safe_psql('postgres', <<'END');
BEGIN; SELECT outbox.emit('order', 'x', 'never', '{}'); ROLLBACK;
BEGIN; SELECT outbox.emit_message('order', 'x', 'never', '{}'::text); ROLLBACK;
UPDATE outbox.event SET payload = '"changed"' WHERE aggregateid = '1';
DELETE FROM outbox.event WHERE aggregateid = '2';
END

# --- everything a row can say

($m) = sent(<<"END", 1);
SELECT outbox.emit('order', '7', 'größer', '{"ü": "日本\\u0001"}', topic => '$base.own', key => 'schlüssel 🔑',
    partition_key => 'p', traceparent => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    headers => '{"text": "wie es ist", "leer": "", "zahl": 1.50, "nichts": null, "objekt": {"a": [1, 2]}}')
END
is($m->{topic}, "$base.own", 'topic of the row');
is(decode_utf8($m->{key}), 'schlüssel 🔑', 'key of the row');
is(decode_utf8($m->{value}), '{"ü": "日本\u0001"}', 'Unicode in the payload');
is(decode_utf8(header($m, 'eventType')), 'größer', 'Unicode in a header');
is(header($m, 'traceparent'), '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'traceparent');
is_deeply(
	{ map { @$_ } grep { $_->[0] =~ /^(text|leer|zahl|nichts|objekt)$/ } @{ $m->{headers} } },
	{ text => 'wie es ist', leer => '', zahl => '1.50', nichts => undef, objekt => '{"a": [1, 2]}' },
	'headers of the row');

# --- logical messages

@m = sent(<<'END', 4);
BEGIN;
SELECT outbox.emit_message('order', '8', 'm', '{"z": 1,  "a":2}'::text, headers => '{"h": "1"}');
SELECT outbox.emit_message('order', '8', 'm', '\x00ff0a0d7b'::bytea);
SELECT outbox.emit('order', '8', 'row', '{}');
SELECT outbox.emit_message('order', '8', 'm', NULL::text);
COMMIT;
END
is($m[0]{value}, '{"z": 1,  "a":2}', 'message: text as it is');
is(header($m[0], 'h'), '1', 'message: header');
is($m[1]{value}, "\x00\xff\x0a\x0d{", 'message: any octets');
is($m[2]{value}, '{}', 'message: a row between them');
ok(!defined $m[3]{value}, 'message: tombstone');
is(join(' ', map { $_->{partition} } @m), join(' ', ($m[0]{partition}) x 4), 'message: one key, one partition');
is($node->safe_psql('postgres', "SELECT count(*) FROM outbox.event WHERE aggregateid = '8'"), 1, 'message: leaves no row');

# --- partition keys: all of one order's lines together, whatever their keys

@m = sent(<<'END', 40);
SELECT outbox.emit('order', i::text, 'line', to_jsonb(i), partition_key => 'order 1') FROM generate_series(1, 20) i;
SELECT outbox.emit('order', 'order 1', 'line', to_jsonb(i)) FROM generate_series(1, 20) i
END
my %partition = map { ($_->{partition} => 1) } @m;
is(scalar keys %partition, 1, 'partition key: one partition, that of the key of the same octets');

# --- large ones, and many

@m = sent("SELECT outbox.emit('order', 'big', 'big', to_jsonb(repeat('x', 900000)))", 1);
is($m[0]{value}, '"' . 'x' x 900000 . '"', 'a payload of 900,000 octets');
@m = sent("SELECT outbox.emit('order', (i % 7)::text, 'many', to_jsonb(i)) FROM generate_series(1, 5000) i", 5000);
is(join(',', map { $_->{value} } @m), join(',', 1 .. 5000), '5,000 in one transaction');
my %last;
my $disorder = 0;
foreach my $m (sort { $a->{partition} <=> $b->{partition} || $a->{offset} <=> $b->{offset} } @m)
{
	$disorder++ if $m->{value} <= ($last{ $m->{key} } // 0);
	$last{ $m->{key} } = $m->{value};
}
is($disorder, 0, 'each key in order');

# --- confirmed, and nothing else

ok($node->wait_confirmed('outbox'), 'all is confirmed');
is($consumer->count, $expected, 'nothing that was rolled back, updated or deleted');
is($node->safe_psql('postgres', "SELECT unconfirmed_bytes < 1000000 AND active FROM outbox.status"), 't', 'outbox.status');

# --- the other two witnesses

my %count;
$count{ $_->{topic} }++ foreach $consumer->messages;
foreach my $topic (@topics)
{
	my @args = ('kcat', '-q', '-b', $kafka->bootstrap, '-C', '-e', '-o', 'beginning', '-t', $topic,
		'-f', '%p %o %K %S %k %h\n');
	open my $fh, '-|', @args or die "kcat: $!";
	my @lines = <$fh>;
	close $fh;
	is(scalar @lines, $count{$topic}, "kcat: $topic");
	next unless $topic =~ /own$/;
	like(decode_utf8($lines[0]), qr/schlüssel 🔑.*text=wie es ist/, 'kcat: key and headers');
}
my $java = decode_utf8($kafka->java_consumer("$base.own", max_messages => 1));
like($java, qr/schlüssel 🔑\t\{"ü": "日本\\u0001"\}/, "Java's consumer: key and value");
like($java, qr/nichts:null/, "Java's consumer: null header");
my @java = split /\n/, $kafka->java_consumer("$base.invoice", max_messages => $count{"$base.invoice"});
is(scalar(grep { /^Partition:/ } @java), $count{"$base.invoice"}, "Java's consumer: count");

# --- stop

is($streamer->stop, 0, 'stops when asked');
done_testing();
