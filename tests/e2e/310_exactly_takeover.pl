# 310_exactly_takeover.pl - a standby takes over from an instance that isn't dead.
#
# Two instances are started together.  The active one is stopped with SIGSTOP, and
# what is written next lies in its socket.  Then its network goes silent, too;
# wal_sender_timeout frees the slot, the standby takes it and sends these events.  Now
# the first goes on with what it has, and can't know better: in exactly-once it is
# fenced, and becomes the standby.  The same with at-least-once shows that these events
# would have arrived twice.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Exact;
use PgOutbox::Relay;
use PgOutbox::Proof qw(result seed full_size);
use PgOutbox::Wait qw(wait_for);
use Test::More;

my $rounds = full_size() ? 10 : 2;
my $seed = seed();
my $node = PgOutbox::Node->ready('main', slot => 'outbox', conf => 'wal_sender_timeout = 5s');
my $kafka = PgOutbox::Kafka->shared;
my @topics = map { $kafka->create_topic(PgOutbox::Kafka::unique_name('takeover'), 3) } 1 .. 2;
my $exact = PgOutbox::Exact->new($node, $kafka, topics => \@topics, seed => $seed, rows => 50, writers => 1);

# each has its own way to the database
sub pair
{
	my ($delivery) = @_;
	my @two;
	foreach my $name (qw(a b))
	{
		my $relay = PgOutbox::Relay->start($node->port);
		my $streamer = PgOutbox::Streamer->new(
			kafka => $kafka,
			slot => 'outbox',
			name => "$delivery-$name",
			config => {
				postgres => { dsn => $node->dsn =~ s/port=\d+/port=@{[$relay->port]}/r },
				outbox => { delivery => $delivery }
			});
		$streamer->{relay} = $relay;
		push @two, $streamer->start;
	}
	return @two;
}

# the instance that has the slot, and the other one
sub roles
{
	my (@two) = @_;
	my @active;
	wait_for(
		sub {
			@active = grep { $_->log_text =~ /streaming from slot/ } @two;
			return @active == 1 && $two[0]->log_text . $two[1]->log_text =~ /standing by/;
		},
		30) or die $two[0]->log_text . $two[1]->log_text;
	return $two[0] == $active[0] ? @two : reverse @two;
}

sub count_of
{
	my ($streamer, $regex) = @_;
	return scalar(() = $streamer->log_text =~ /$regex/g);
}

# One pause of the active instance.  WHILE is called when it goes on.
sub takeover
{
	my ($name, $while, $active, $standby) = @_;
	my $streaming = count_of($standby, qr/streaming from slot/);
	my $standing = count_of($active, qr/standing by/);

	# it has begun in earnest
	$exact->one(1);
	$node->wait_confirmed('outbox') or die 'not confirmed';
	$active->pause;
	my $idle = $active->{relay}->waiting;
	$exact->many(map { 1 + int rand 40 } 1 .. 20);
	# in the sleeper's socket, so that it has something to go on with
	my $lsn = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
	$node->wait_until("SELECT bool_or(sent_lsn >= '$lsn') FROM pg_stat_replication", 10);
	wait_for(sub { $active->{relay}->waiting > $idle + 10_000 }, 10) or die 'nothing has come';
	$active->{relay}->pause;
	ok(wait_for(sub { count_of($standby, qr/streaming from slot/) > $streaming }, 20), "$name: the standby takes over");
	ok($node->wait_confirmed('outbox'), "$name: and sends what was written");
	$active->resume;
	$while->($active);
	$active->{relay}->resume;
	ok(wait_for(sub { count_of($active, qr/standing by/) > $standing }, 30), "$name: the first is a standby now");
	ok($standby->alive && $active->alive, "$name: both run");
	return ($standby, $active);
}

sub finish
{
	my ($name, @two) = @_;
	$exact->one(5);
	ok($node->wait_confirmed('outbox'), "$name: all is confirmed");
	is($_->stop, 0, "$name: stops when asked") foreach @two;
	return;
}

# --- exactly once

my @two = roles(pair('exactly-once'));
ok(1, 'two started together: one streams, one stands by');
foreach my $round (1 .. $rounds)
{
	@two = takeover(
		"round $round",
		sub {
			my ($first) = @_;
			ok(wait_for(sub { count_of($first, qr/warning\[fenced\]/i) >= int(($round + 1) / 2) }, 30),
				"round $round: the first is fenced") or note($first->log_text);
		},
		@two);
}
finish('exactly-once', @two);
my $count = $exact->count;
is($count->{lost}, 0, 'losses: 0');
is($count->{duplicates}, 0, 'duplicates: 0');
is($count->{reorderings}, 0, 'reorderings: 0');
is($count->{partial} + $count->{foreign}, 0, 'no transaction in part');

# --- control

my $from = $node->safe_psql('postgres', "SELECT nextval('exact.t')");
@two = takeover('control', sub { wait_for(sub { $exact->snapshot($from)->{duplicates} > 0 }, 20) }, roles(pair('at-least-once')));
finish('control', @two);
my $control = $exact->count($from);
is($control->{lost}, 0, 'at-least-once: losses: 0');
cmp_ok($control->{duplicates}, '>', 0, "at-least-once: duplicates: $control->{duplicates}");

result('exactly_once_takeover',
	{ takeovers => $rounds, events => $count->{committed}, duplicates => $count->{duplicates},
		losses => $count->{lost}, duplicates_at_least_once => $control->{duplicates} },
	what => 'the active of two instances is stopped with SIGSTOP and continued after the standby has taken over');
done_testing();
