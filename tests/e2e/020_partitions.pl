# 020_partitions.pl - every key is on the partition where Java's producer puts it.
#
# Over 1,000 odd keys, through a table of the user's own with mapped columns: the
# partitions are compared with those that Kafka's own console producer chooses.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';
use utf8;

use Encode qw(encode_utf8);
use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Consumer;
use PgOutbox::Proof qw(seed);
use Test::More;

seed();

# --- the keys: octets as they stand; unlike, without CR, LF and 0x1F

my @alphabets = (
	[ 'a' .. 'z' ],
	[ '0' .. '9' ],
	[ map { chr } 1 .. 9, 11, 12, 14 .. 30, 32 .. 126 ],
	[ split //, 'äöüßéèñçøåÆŒ' ],
	[ split //, '日本語漢字かなカナ한국어' ],
	[ split //, '🔑🐘🦆👩‍👩‍👧‍👦🇪🇺' ],
	[ map { chr } 0x80 .. 0x9f, 0xa0, 0x200b, 0x2028, 0xfeff, 0xfffd, 0x10fffd ]);
my %keys = map { ($_ => 1) } '', ' ', '0', '-1', 'null', 'NULL', '\N', '"', "'", '\\', "\t", '%s', '{}', 'a' x 255, 'é' x 200,
  "e\x{301}", "\x{e9}";
while (keys %keys < 1200)
{
	my $alphabet = $alphabets[ rand @alphabets ];
	$keys{ join '', map { $alphabet->[ rand @$alphabet ] } 1 .. 1 + rand 24 } = 1;
}
my @keys = map { encode_utf8($_) } sort keys %keys;

# --- by the streamer, from a table that isn't ours, with names that need quotes

my $node = PgOutbox::Node->ready('main', slot => 'outbox');
$node->safe_psql('postgres', <<'END');
CREATE SCHEMA "Shop";
CREATE TABLE "Shop"."event log" ("No" bigint GENERATED ALWAYS AS IDENTITY, "Key" text, body text);
END
my $kafka = PgOutbox::Kafka->shared;
my ($ours, $java) = map { $kafka->create_topic(PgOutbox::Kafka::unique_name("partitions-$_"), 24) } qw(ours java);
my $streamer = PgOutbox::Streamer->new(
	node => $node,
	kafka => $kafka,
	slot => 'outbox',
	config => {
		outbox => { topic => $ours },
		'table "Shop.event log"' => { id => 'No', key => 'Key', payload => 'body' }
	});
$streamer->start;
$node->safe_psql('postgres',
	'INSERT INTO "Shop"."event log" ("Key", body) VALUES '
	  . join(', ', map { "(convert_from('\\x" . unpack('H*', $keys[$_]) . "', 'UTF8'), '$_')" } 0 .. $#keys));

# --- by Java's producer

$kafka->java_producer($java, map { [ $keys[$_], $_ ] } 0 .. $#keys);

# --- compared

my $consumer = PgOutbox::Consumer->start($kafka, $ours, $java);
is($consumer->wait_count(2 * @keys, 60), 2 * @keys, 'all keys, both ways') or diag($streamer->log_text);
my %where;
my $bad_key = 0;
foreach my $m ($consumer->messages)
{
	$where{ $m->{topic} }{ $m->{value} } = $m->{partition};
	$bad_key++ if !defined $m->{key} || $m->{key} ne $keys[ $m->{value} ];
}
is($bad_key, 0, 'every key has its octets');
my @different = grep { $where{$ours}{$_} != $where{$java}{$_} } 0 .. $#keys;
is(scalar @different, 0, scalar(@keys) . " keys: partition as Java's producer chooses it")
  or diag(join ' ', map { unpack 'H*', $keys[$_] } @different[ 0 .. ($#different > 9 ? 9 : $#different) ]);
my %used = map { ($_ => 1) } values %{ $where{$ours} };
is(scalar keys %used, 24, 'spread over all partitions');
is($streamer->stop, 0, 'stops when asked');
done_testing();
