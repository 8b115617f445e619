# 110_instances.pl - standing by and taking over, stopping in order, signals, systemd.
#
# brief: sanitize
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use IO::Socket::UNIX;
use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Load;
use PgOutbox::Tally;
use PgOutbox::Proof qw(seed);
use PgOutbox::Wait qw(wait_for);
use Socket qw(SOCK_DGRAM);
use Test::More;
use Time::HiRes qw(time);

my $seed = seed();
my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $kafka = PgOutbox::Kafka->new->start;
my $topic = PgOutbox::Tally::topic($kafka, 'load', 4);
my $tally = PgOutbox::Tally->new($kafka, $topic);
my $load = PgOutbox::Load->new($node, topic => $topic, events => 16_000, rate => 2_000, rows => 100, seed => $seed);

# --- systemd: ready when it streams, stopping when it stops, alive in between

my $path = PgOutbox::Env::testdir() . '/notify';
my $notify = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path, Blocking => 0) or die "$path: $!";
my @notified;

sub notified
{
	my ($regex, $seconds) = @_;
	return wait_for(
		sub {
			while (defined $notify->recv(my $text, 4096)) { push @notified, $text; }
			return scalar grep { $_ =~ $regex } @notified;
		},
		$seconds // 20);
}

my $first = PgOutbox::Streamer->new(
	name => 'first', node => $node, kafka => $kafka, slot => 'outbox',
	env => { NOTIFY_SOCKET => $path });
$first->start;
ok(notified(qr/^READY=1$/m), 'sd_notify: READY');
ok($node->walsender_pid('outbox'), 'sd_notify: it streams by then');

# --- a second instance waits, and takes over

my $second = PgOutbox::Streamer->new(name => 'second', node => $node, kafka => $kafka, slot => 'outbox');
$second->start;
ok($second->wait_for_log(qr/standing by/, 20), 'second instance: stands by');
$load->allow(4_000);
$load->start;
$tally->wait_arrived(3_000, 60) or die 'no flow: ' . $first->log_text;
my $walsender = $node->walsender_pid('outbox');
$first->kill9;
my $killed = time;
ok($node->wait_until("SELECT active_pid <> $walsender FROM pg_replication_slots WHERE slot_name = 'outbox'"),
	'first is killed: the second takes over');
my $seconds = time - $killed;
cmp_ok($seconds, '<', 5, sprintf 'within seconds (%.1f)', $seconds);
ok($tally->wait_arrived(4_000, 30, sub { $load->poll }), 'events go on');
ok($second->wait_for_log(qr/streaming from slot/, 20), 'and it says that it streams');
my $text = $second->log_text;
my $lines = () = $text =~ /standing by/g;
is($lines, 1, 'it said so once');
is(scalar(() = $text =~ /\n/g), 2, 'nothing else until it streams') or diag($text);

# --- asked to stop under load: what is in flight arrives, nothing is repeated

ok($node->wait_confirmed('outbox'), 'all is confirmed');
$tally->catch_up;
my $duplicates = $tally->duplicates;
my $stops = 4;
my $slowest = 0;
foreach my $i (1 .. $stops)
{
	my $goal = 4_000 + 2_000 * $i;
	$load->allow($goal + 2_000);
	$tally->wait_arrived($goal, 60, sub { $load->poll }) or die "no flow: " . $second->log_text;
	my $start = time;
	my $code = $second->stop(20);
	$slowest = time - $start if time - $start > $slowest;
	is($code, 0, "stop $i under load: exit status 0");
	$second->start;
	# what had arrived before may satisfy the next goal; a signal before this ends it by default
	$second->wait_for_log(qr/streaming from slot/, 30) or die 'no start: ' . $second->log_text;
}
cmp_ok($slowest, '<', 4, sprintf 'the slowest took %.1f s', $slowest);
$load->allow($load->{events});
ok($load->wait(60), 'writers are done');
ok($node->wait_confirmed('outbox', undef, 60), 'all is confirmed');
$tally->check($load);
is($tally->duplicates, $duplicates, 'nothing is repeated after a stop in order');

# --- asked to stop while the broker doesn't answer

sub emit
{
	my ($key) = @_;
	$node->safe_psql('postgres', "SELECT outbox.emit('x', '$key', 'e', '1', topic => 'x') FROM generate_series(1, 10)");
	my $lsn = $node->safe_psql('postgres', 'SELECT pg_current_wal_flush_lsn()');
	$node->wait_until("SELECT sent_lsn >= '$lsn' FROM pg_stat_replication WHERE application_name = 'outbox-streamer'") or die 'not sent';
	return;
}

$kafka->create_topic('x', 2);
$second->configure({ outbox => { drain_timeout => '60s' } });
is($second->stop, 0, 'stopped');
$second->start;
$second->wait_for_log(qr/streaming from slot/, 20) or die;
$kafka->pause;
emit('twice');
$second->signal('TERM');
ok($second->wait_for_log(qr/asked to stop/, 10), 'SIGTERM, no answer from the broker: it has understood');
ok($second->alive, 'it waits for what is in flight');
my $start = time;
$second->signal('TERM');
is($second->wait_exit(10), 0, 'a second SIGTERM: it ends');
cmp_ok(time - $start, '<', 2, 'at once');
$kafka->resume;

$second->configure({ outbox => { drain_timeout => '1s' } });
$second->start;
$second->wait_for_log(qr/streaming from slot/, 20) or die;
ok($node->wait_confirmed('outbox'), 'what was left is sent and confirmed by the next');
$kafka->pause;
emit('timeout');
$start = time;
$second->signal('TERM');
is($second->wait_exit(10), 0, 'drain_timeout: it ends by itself');
cmp_ok(time - $start, '>=', 0.9, 'not before');
cmp_ok(time - $start, '<', 4, 'and not much later');
like($second->log_text, qr/warning: stopping with \d+ \w+ in flight/, 'and says so');
$kafka->resume;
$second->start;
$second->wait_for_log(qr/streaming from slot/, 20) or die;
ok($node->wait_confirmed('outbox'), 'the next one sends it');
my %key;
$key{ $_->{key} }++ foreach PgOutbox::Consumer->all($kafka, 'x');
ok($key{twice} >= 10 && $key{timeout} >= 10, 'all is there');

# --- SIGHUP

my $offset = -s $second->log;
$second->configure({ log => { level => 'debug' }, outbox => { drain_timeout => '7s', topic => 'other' } });
$second->signal('HUP');
ok($second->wait_for_log(qr/configuration read again/, 10, $offset), 'SIGHUP: read again');
like($second->log_text($offset), qr/warning: outbox\.topic has changed; this takes effect after a restart/, 'SIGHUP: what needs a restart is named');
unlike($second->log_text($offset), qr/drain_timeout has changed/, 'SIGHUP: what does not is not');
$offset = -s $second->log;
$second->configure({ log => { level => 'loud' } });
$second->signal('HUP');
ok($second->wait_for_log(qr/error\[config-value\].*log\.level/, 10, $offset), 'SIGHUP: a mistake is reported');
emit('after');
ok($node->wait_confirmed('outbox'), 'SIGHUP: and it goes on as before');
is($second->stop, 0, 'stops when asked');

# --- and systemd hears of the end

@notified = ();
$first->{env}{WATCHDOG_USEC} = 400_000;
$first->start;
ok(notified(qr/^READY=1$/m), 'sd_notify: READY again');
ok(notified(qr/^WATCHDOG=1$/m), 'sd_notify: WATCHDOG while it is idle');
$first->stop;
ok(notified(qr/^STOPPING=1$/m, 5), 'sd_notify: STOPPING');
done_testing();
