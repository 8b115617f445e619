# 340_exactly_split.pl - a transaction larger than a Kafka transaction goes out in parts.
#
# Its parts become visible one after the other, each whole, each message marked "part n
# of m".  The streamer is killed and stopped and the broker killed between parts; what
# comes next goes on with exactly the rest, also with another size configured.
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
use PgOutbox::Exact;
use PgOutbox::Wait qw(wait_for);
use Test::More;

my $size = 500;
my $parts = 40;
my $events = $size * ($parts - 1) + 77;

my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $kafka = PgOutbox::Kafka->new->start;
my @topics = map { $kafka->create_topic("split$_", 2) } 1 .. 2;
my $exact = PgOutbox::Exact->new($node, $kafka, topics => \@topics);
my $streamer = PgOutbox::Streamer->new(
	node => $node,
	kafka => $kafka,
	slot => 'outbox',
	config => {
		outbox => {
			delivery => 'exactly-once',
			max_transaction_events => $size,
			large_transactions => 'split',
			drain_timeout => '0ms'
		}
	});

# --- interrupted between parts, again and again

$streamer->start;
$exact->many(1 .. 5);
ok($node->wait_confirmed('outbox'), 'small transactions are confirmed');
is($streamer->stop, 0, 'stops when asked');
my ($progress_topic) = grep { /^outbox\.progress\./ } keys %{ $kafka->topics };
my $progress = PgOutbox::Consumer->start($kafka, $progress_topic);

# events of the split transaction that are committed, as the progress says
sub sent
{
	my ($last) = ($progress->messages)[-1];
	return $last && $last->{value} =~ /"sent":(\d+)/ ? $1 : undef;
}

$exact->many(6, 7);
my $large = $exact->one($events);
$exact->many(8, 9);

# what can be seen of it is what the progress says, whatever was open
sub whole_parts
{
	my ($name) = @_;
	my ($said, $seen, $now);
	wait_for(
		sub {
			$now = $exact->snapshot;
			$said = sent() // -1;
			$seen = $exact->{there}{$large}[0] // 0;
			return $said == $seen;
		},
		15);
	is($seen, $said, "$name: of $events events, $said are there");
	is($now->{duplicates}, 0, "$name: none twice");
	is($seen % $size, 0, "$name: whole parts");
	ok($seen > 0 && $seen < $events, "$name: between parts");
	return;
}

sub kill_streamer { $streamer->kill9; return; }

sub stop_streamer { is($streamer->stop, 0, 'a stop doesn\'t wait for the rest'); return; }

sub kill_broker
{
	$kafka->kill9;
	$streamer->kill9;
	$kafka->start;
	return;
}

my $before = 0;
foreach my $incident (
	[ 'killed', \&kill_streamer ],
	[ 'killed again', \&kill_streamer ],
	[ 'stopped', \&stop_streamer ],
	[ 'broker killed, too', \&kill_broker ],
	[ 'killed with another size', \&kill_streamer, $size + 123 ])
{
	my ($name, $code, $other) = @$incident;
	$streamer->configure({ outbox => { max_transaction_events => $other } }) if $other;
	$streamer->start;
	wait_for(sub { (sent() // 0) > $before }, 60, step => 0.002) or die "$name: no part comes: " . $streamer->log_text;
	$code->();
	whole_parts($name);
	cmp_ok(sent() // 0, '>', $before, "$name: it had gone on");
	$before = sent() // 0;
}
$streamer->start;
ok($node->wait_confirmed('outbox', undef, 60), 'all is confirmed') or note($streamer->log_text);
is(sent(), undef, 'the progress says nothing of parts any more');
my $count = $exact->count;
is("$count->{lost} $count->{duplicates} $count->{reorderings} $count->{partial} $count->{foreign}",
	'0 0 0 0 0', "of $count->{committed} lost, twice, out of order, in part, foreign");
unlike($streamer->log_text, qr/splitting/, 'what is known is not counted again');

my %wrong = (large => 0, small => 0);
$exact->visible(
	'read_committed',
	sub {
		my ($m, $f) = @_;
		my $part = PgOutbox::Consumer::header($m, 'outbox.part');
		my ($n) = PgOutbox::Consumer::header($m, 'outbox.position') =~ m{/([0-9A-F]{8})$};
		if ($f->{t} == $large)
		{
			$wrong{large}++ if ($part // '') ne 1 + int(hex($n) / $size) . "/$parts";
		}
		elsif (defined $part) { $wrong{small}++; }
	});
is($wrong{large}, 0, "each of its messages says of which part it is, of $parts");
is($wrong{small}, 0, 'others have no such header');

# --- while the streamer lives

is($streamer->stop, 0, 'stops when asked');
$streamer->configure({ outbox => { max_transaction_events => $size, drain_timeout => undef } });
$streamer->start('--no-loop');
$streamer->wait_for_log(qr/exactly-once: transactional id/);
$exact->many($size + 1, 1, $size, 2 * $size);
ok($node->wait_confirmed('outbox', undef, 60), 'transactions around the limit are confirmed') or note($streamer->log_text);
$count = $exact->count;
is("$count->{lost} $count->{duplicates} $count->{reorderings} $count->{partial} $count->{foreign}",
	'0 0 0 0 0', "of $count->{committed} lost, twice, out of order, in part, foreign");
my @said = $streamer->log_text =~ /has (\d+) events: reading it again, to send it in (\d+) parts/g;
is("@said", $size + 1 . ' 2 ' . 2 * $size . ' 2', 'those with more events were split');

# asked to stop in the middle, it completes what it has begun
$exact->one($events);
my $from = sent() // 0;
wait_for(sub { sent() }, 60, step => 0.002) or die 'no part comes: ' . $streamer->log_text;
is($streamer->stop(30), 0, 'stops when asked');
$count = $exact->count;
is("$count->{lost} $count->{duplicates} $count->{partial}", '0 0 0', 'and has completed what it had begun');

# --- another configuration between parts

my $mixed = $kafka->create_topic('mixed', 1);
$streamer->configure({ outbox => { drain_timeout => '0ms' } });
$streamer->start;
$streamer->wait_for_log(qr/exactly-once: transactional id/);
$node->safe_psql('postgres', <<"SQL");
BEGIN;
SELECT count(outbox.emit('mixed', '1', 'row', '{}', topic => '$mixed')) FROM generate_series(1, $events);
SELECT count(outbox.emit_message('mixed', '1', 'message', '{}', topic => '$mixed')) FROM generate_series(1, 100);
COMMIT;
SQL
wait_for(sub { sent() }, 60, step => 0.002) or die 'no part comes: ' . $streamer->log_text;
$streamer->kill9;
$streamer->configure({ outbox => { message_prefix => '' } });
$streamer->start;
is($streamer->wait_exit(60), 2, 'other events than when it was begun: exit status 2');
like($streamer->log_text, qr/error\[split-changed\].*; hint: start with the configuration of that time/, 'with reason and hint');
$streamer->configure({ outbox => { message_prefix => undef } });
$streamer->start;
ok($node->wait_confirmed('outbox', undef, 60), 'with its configuration it goes on') or note($streamer->log_text);
is(scalar(PgOutbox::Consumer->all($kafka, $mixed)), $events + 100, 'and each is there once');
is($streamer->stop, 0, 'stops when asked');
done_testing();
