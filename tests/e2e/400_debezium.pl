# 400_debezium.pl - the same rows through Debezium's connector and event router, and through us.
#
# One table, two slots, two brokers with the same topics.  Topic, key, octets of the
# value, headers and partition of every message are compared; what differs is counted
# by kind, and only the kinds that the README lists may occur.
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
use PgOutbox::Debezium;
use PgOutbox::Proof qw(result seed sized);
use Test::More;

PgOutbox::Debezium::available() or plan skip_all => PgOutbox::Debezium::missing();

my $rows = sized(1_000, 10_000);
my $seed = seed();
my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my %kafka = map { ($_ => PgOutbox::Kafka->new(name => "kafka-$_", heap => '400m')->start(wait => 0)) } qw(ours debezium);
my @types = ('order', 'invoice', 'A.b_c-1');
foreach my $kafka (values %kafka)
{
	$kafka->wait_ready;
	$kafka->create_topic("outbox.event.$_", 7) foreach @types;
}
my $streamer = PgOutbox::Streamer->new(node => $node, kafka => $kafka{ours}, slot => 'outbox');
my $debezium = PgOutbox::Debezium->new(node => $node, kafka => $kafka{debezium});
$streamer->start;
$debezium->start;

# --- rows

my @words = ('a', 'B c', 'ü', 'ß', '日本語', '한국어', '🔑', "e\x{301}", '\\', '"', "'", "\t", '%', '{', '}', '$', '${x}', "\x{2028}", "\x{a0}", "\x{7f}", '0', 'NULL', 'null');
sub word { return join '', map { $words[ rand @words ] } 1 .. 1 + rand 6; }

sub json_text
{
	my ($text) = @_;
	return '"' . ($text =~ s/([\\"])/\\$1/gr =~ s/([\x00-\x1f])/sprintf '\\u%04x', ord $1/ger) . '"';
}

my @payloads = (
	sub { return undef; },
	sub { return 'null'; },
	sub { return ('true', 'false', '""', '[]', '{}', '" "', '0', '-0', '-0.0', '1e3', '1.10')[ rand 11 ]; },
	sub { return join '', '-' x (rand() < 0.5), 1 + int rand 9, map { int rand 10 } 1 .. rand 60; },
	sub { return join '', int rand 10, '.', map { int rand 10 } 1 .. 1 + rand 40; },
	sub { return json_text(word()); },
	sub { return '{' . json_text(word()) . ': ' . json_text(word()) . ', "b": null, "a": [], "n": 12345678901234567890123.4500}'; },
	sub { return '[' . join(',', map { json_text(word()) } 1 .. rand 10) . ']'; },
	sub { return json_text(word() x (1 + rand 2000)); },
	sub { return '{"deep": ' . '[' x 50 . ']' x 50 . '}'; });

my @keys = map { word() . (rand() < 0.5 ? int rand 50 : '') } 1 .. $rows / 20;
my @insert;
my $quote = sub { my ($t) = @_; return defined $t ? "'" . ($t =~ s/'/''/gr) . "'" : 'NULL'; };
foreach my $i (1 .. $rows)
{
	push @insert, '(' . join(', ', map { $quote->($_) } $types[ rand @types ],
		$keys[ rand @keys ], word(), $payloads[ rand @payloads ]->()) . ')';
}
my $sql = '';
while (@insert)
{
	# transactions of several sizes
	my @some = splice @insert, 0, 1 + rand(rand() < 0.1 ? 500 : 10);
	$sql .= 'INSERT INTO outbox.event (aggregatetype, aggregateid, type, payload) VALUES ' . join(', ', @some) . ";\n";
}
$node->safe_psql('postgres', encode_utf8("SET standard_conforming_strings = on;\n$sql"));
# this ends the comparison, and an update or delete is not an event for either
$node->safe_psql('postgres', 'UPDATE outbox.event SET type = type WHERE id IN (SELECT id FROM outbox.event LIMIT 10)');

# --- both

my (%message, %order);
foreach my $who (qw(ours debezium))
{
	my $consumer = PgOutbox::Consumer->start($kafka{$who}, '^outbox\.');
	is($consumer->wait_count($rows, 180), $rows, "$who: $rows messages");
	foreach my $m (sort { $a->{topic} cmp $b->{topic} || $a->{partition} <=> $b->{partition} || $a->{offset} <=> $b->{offset} } $consumer->messages)
	{
		my $id = PgOutbox::Consumer::header($m, 'id') // '';
		$message{$who}{$id} = $m;
		push @{ $order{$who}{"$m->{topic} " . ($m->{key} // '')} }, $id;
	}
	$consumer->stop;
}

# --- compared

my %different;
my %example;
sub differs
{
	my ($kind, $id, @values) = @_;
	$example{$kind} //= join ' / ', map { defined $_ ? substr($_, 0, 100) : 'NULL' } @values;
	$different{$kind}++;
	return;
}

sub same
{
	my ($a, $b) = @_;
	return defined $a ? defined $b && $a eq $b : !defined $b;
}

foreach my $id (sort keys %{ $message{debezium} })
{
	my ($us, $them) = map { $message{$_}{$id} } qw(ours debezium);
	if (!$us) { differs('missing', $id, $id); next; }
	same($us->{$_}, $them->{$_}) or differs($_, $id, $us->{$_}, $them->{$_}) foreach qw(topic key value partition);
	my %us = map { @$_ } @{ $us->{headers} };
	my %them = map { @$_ } @{ $them->{headers} };
	foreach my $name (sort keys %{ { %us, %them } })
	{
		if    (!exists $us{$name})                  { differs("header $name: only theirs", $id, $them{$name}); }
		elsif (!exists $them{$name})                { differs("header $name: only ours", $id, $us{$name}); }
		elsif (!same($us{$name}, $them{$name}))     { differs("header $name: value", $id, $us{$name}, $them{$name}); }
	}
	differs('timestamp', $id, $us->{timestamp}, $them->{timestamp}) if $us->{timestamp} != $them->{timestamp};
}
my $keys_in_other_order = grep { "@{ $order{ours}{$_} // [] }" ne "@{ $order{debezium}{$_} }" } keys %{ $order{debezium} };

is(scalar(grep { !$message{debezium}{$_} } keys %{ $message{ours} }), 0, 'no event that only we have');
is($different{missing} // 0, 0, 'no event that only they have');
is($different{$_} // 0, 0, "same $_") or diag($example{$_}) foreach qw(topic key value partition);
is($keys_in_other_order, 0, 'each key in the same order');
foreach my $kind (sort keys %different)
{
	note("$kind: $different{$kind} (ours / Debezium's: $example{$kind})");
}
# in the README: our position; their context; the timestamp (ours is the commit's,
# theirs when it was read)
my @unexpected =
  grep { !/^(header outbox\.position: only ours|header __debezium\.context\.\w+: only theirs|timestamp)$/ } sort keys %different;
is("@unexpected", '', 'no differences but those in the README');
$debezium->stop;
is($streamer->stop, 0, 'stops when asked');

result(
	'debezium',
	{ rows => $rows, keys => scalar keys %{ $order{ours} }, map { ("different $_" => $different{$_}) } keys %different },
	seed => $seed,
	what => 'rows through Debezium 3.3 with its outbox event router and through us; messages that differ, by kind'
);
done_testing();
