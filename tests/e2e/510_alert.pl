# 510_alert.pl - a real Prometheus scrapes a real streamer: the broker goes away and the
# alerts fire, it comes back and they clear; likewise without a standby and with a
# streamer that is killed.
#
# The rules are the shipped ones, with seconds in place of minutes.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Env;
use PgOutbox::Node;
use PgOutbox::Http;
use PgOutbox::Kafka;
use PgOutbox::Prometheus;
use PgOutbox::Streamer;
use PgOutbox::Wait qw(wait_for);
use Test::More;

plan skip_all => 'prometheus is not installed' unless PgOutbox::Prometheus::server();

# --- the shipped rules, in a hurry

my $shipped = PgOutbox::Env::top() . '/deploy/monitoring/pg_outbox.rules.yml';
my $rules = PgOutbox::Env::testdir() . '/rules.yml';
{
	open my $in, '<', $shipped or die "$shipped: $!";
	local $/ = undef;
	my $text = <$in>;
	$text =~ s/^(\s+for: )\d+m$/${1}4s/mg;
	$text =~ s/(last_confirmation_timestamp_seconds > )300/${1}15/ or die;
	$text =~ s/(lag_seconds > )60/${1}3/ or die;
	$text =~ s/\[\d+m\]/[10s]/g;
	open my $out, '>', $rules or die "$rules: $!";
	print $out $text;
	close $out or die "$rules: $!";
}

my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $kafka = PgOutbox::Kafka->new->start;
my $topic = $kafka->create_topic('orders', 3);
my @http = map { PgOutbox::Http->new } 1 .. 2;
my @streamer = map {
	PgOutbox::Streamer->new(
		name => "streamer$_", node => $node, kafka => $kafka, slot => 'outbox',
		config => { outbox => { topic => $topic }, http => { listen => $http[$_]->listen } })
} 0 .. 1;
$streamer[0]->start;
$http[0]->wait_status('/readyz', 200) or die $streamer[0]->log_text;
$streamer[1]->start;
$http[1]->wait_status('/readyz?standby=ok', 200) or die $streamer[1]->log_text;
my $prometheus = PgOutbox::Prometheus->start(
	rules => $rules, interval => '1s',
	targets => { 'outbox-streamer' => join("', '", map { $_->listen } @http) });

# fire(NAMES): all of these do, soon.  clear(): none does.
sub fire
{
	my ($name, @wanted) = @_;
	my @firing;
	ok(wait_for(sub { my %f = map { $_ => 1 } @firing = $prometheus->firing; !grep { !$f{$_} } @wanted }, 60, step => 0.5), "$name: @wanted")
	  or diag("firing: @firing");
	return;
}

sub clear
{
	my ($name) = @_;
	my @firing;
	ok(wait_for(sub { !(@firing = $prometheus->firing) }, 60, step => 0.5), "$name: no alert")
	  or diag("firing: @firing");
	return;
}

ok(wait_for(
		sub {
			my ($status, $body) = $prometheus->get('/api/v1/query?query=count(outbox_streamer_ready)');
			return $body =~ /"2"\]/;
		},
		30),
	'Prometheus sees both');
my $calm = time + 10;
my %seen;
wait_for(sub { $seen{$_} = 1 foreach $prometheus->firing; time > $calm }, 30, step => 0.5);
is(join(' ', sort keys %seen), '', 'one streams, one stands by: no alert');

# --- the broker goes away under way

$kafka->kill9;
$node->safe_psql('postgres', "SELECT outbox.emit('order', '1', 'created', '{}')");
fire('the broker is away', qw(OutboxConfirmationStalled OutboxLagHigh OutboxStreamerNotReady));
ok(!(grep { $_ eq 'OutboxNobodyStreams' || $_ eq 'OutboxStreamerDown' } $prometheus->firing), 'the broker is away: the streamers are not to blame');
$kafka->start;
clear('the broker is back');
is($kafka->messages_in($topic), 1, 'the event has arrived');

# --- an instance is killed: the other takes over

$streamer[0]->kill9;
fire('one is killed', qw(OutboxStandbyMissing OutboxStreamerDown));
ok(!(grep { /NotReady|Nobody|Lag|Stalled/ } $prometheus->firing), 'one is killed: events flow');
$streamer[0]->start;
clear('it is back, as the standby');

# --- nobody streams

$node->stop('fast');
fire('PostgreSQL is away', qw(OutboxNobodyStreams OutboxStreamerNotReady));
$node->start;
clear('PostgreSQL is back');
is($_->stop, 0, 'stopped') foreach @streamer;
$prometheus->stop;
done_testing();
