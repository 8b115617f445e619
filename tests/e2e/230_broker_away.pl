# 230_broker_away.pl - the broker is away while events flow beyond the in-flight limits.
#
# The walsender is answered all the time (wal_sender_timeout is short here), memory
# stays bounded, and when the broker is back everything arrives, by itself, once.
# And PostgreSQL can be stopped meanwhile: with the limits reached, when nothing more
# is read from it, and with a few events in flight.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Load;
use PgOutbox::Tally;
use PgOutbox::Proof qw(result seed sized);
use PgOutbox::Wait qw(wait_for);
use Test::More;
use Time::HiRes qw(time);

my $away = sized(20, 120);
my $timeout = sized(2, 10);
my $rate = sized(2_000, 3_000);
my $events = $rate * ($away + 15);
my $seed = seed();

my $node = PgOutbox::Node->ready('main', slot => 'outbox', conf => "wal_sender_timeout = ${timeout}s");
my $kafka = PgOutbox::Kafka->new->start;
my $topic = PgOutbox::Tally::topic($kafka, 'load', 6);
my $streamer = PgOutbox::Streamer->new(node => $node, kafka => $kafka, slot => 'outbox');
my $load = PgOutbox::Load->new($node, topic => $topic, events => $events, rate => $rate, rows => 200, seed => $seed);
my $tally = PgOutbox::Tally->new($kafka, $topic);

# --- away under load

$streamer->start;
$load->start;
$tally->wait_arrived($rate * 2, 60) or die 'no flow: ' . $streamer->log_text;
my $walsender = $node->walsender_pid('outbox');
my $before = $tally->arrived;
$kafka->kill9;
my $gone = time;
my ($changed, $looks, $oldest_reply) = (0, 0, 0);
wait_for(
	sub {
		my ($pid, $reply) = split /\|/, $node->safe_psql('postgres', <<'END');
SELECT s.active_pid, extract(epoch FROM clock_timestamp() - r.reply_time)
FROM pg_replication_slots s LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid WHERE s.slot_name = 'outbox'
END
		$looks++;
		$changed++ if $pid ne $walsender;
		$oldest_reply = $reply if ($reply // '') ne '' && $reply > $oldest_reply;
		return time - $gone >= $away;
	},
	$away + 10,
	step => 0.2);
$away = time - $gone;
is($changed, 0, "one walsender through $looks looks");
cmp_ok($oldest_reply, '<', $timeout, sprintf 'it was always answered, after %.1f s at most', $oldest_reply);
my $waiting = $load->committed - $before;
cmp_ok($waiting, '>', 20_000, "$waiting events wait, more than the in-flight limit");
my $rss = $streamer->peak_rss_kib;
cmp_ok($rss, '<', 64 * 1024, sprintf 'peak RSS %.1f MiB', $rss / 1024);
ok($streamer->alive, 'the streamer waits');
my $log = $streamer->log_text;
my $lines = () = $log =~ /\n/g;
cmp_ok($lines, '<=', 6, 'a few lines of log') or diag($log);

$kafka->start;
my $back = time;
ok($tally->wait_arrived($tally->arrived + 1, 30), 'it resumes by itself');
my $resumed = time - $back;
ok($load->wait(300), 'writers are done');
ok($node->wait_confirmed('outbox', undef, 120), 'all is confirmed');
is($node->walsender_pid('outbox'), $walsender, 'still the same walsender');
$tally->check($load);
is($tally->duplicates, 0, 'nothing is repeated');

# --- PostgreSQL stops while the broker is away

my $number = 0;
my %wanted;

sub emit
{
	my ($n) = @_;
	my $from = $number + 1;
	$number += $n;
	$wanted{$_} = 1 foreach $from .. $number;
	return "SELECT outbox.emit('x', (i % 10)::text, 'e', to_jsonb(i), topic => 'after') FROM generate_series($from, $number) i";
}

my @stops;
sub stop_while_away
{
	my ($name, @sql) = @_;
	$node->wait_confirmed('outbox') or die 'not confirmed';
	$kafka->kill9;
	$node->safe_psql('postgres', $_) foreach @sql;
	my $lsn = $node->safe_psql('postgres', 'SELECT pg_current_wal_flush_lsn()');
	# the streamer has what it can take: all, or as much as its limits allow
	my ($sent, $times) = ('', 0);
	wait_for(
		sub {
			my $now = $node->safe_psql('postgres',
				"SELECT sent_lsn || ' ' || (sent_lsn >= '$lsn') FROM pg_stat_replication WHERE application_name = 'outbox-streamer'");
			$times = $now eq $sent ? $times + 1 : 0;
			$sent = $now;
			return $now =~ /true/ || $times >= 20;
		},
		30,
		step => 0.05);
	note("$name: sent $sent of $lsn");
	my $start = time;
	my $stopped = $node->stop('fast', fail_ok => 1);
	my $seconds = time - $start;
	push @stops, $seconds;
	ok($stopped, "$name: PostgreSQL stops");
	cmp_ok($seconds, '<', 10, sprintf '%s: within ten seconds (%.1f)', $name, $seconds);
	ok($streamer->alive, "$name: the streamer waits for both");
	$node->start;
	$kafka->start;
	ok($node->wait_confirmed('outbox', undef, 60), "$name: all is confirmed afterwards");
	return;
}

$kafka->create_topic('after', 3);
stop_while_away('few in flight', emit(3));
stop_while_away('backpressure', map { emit(500) } 1 .. 120);
my $reader = PgOutbox::Consumer->start($kafka, 'after');
my $total = keys %wanted;
cmp_ok($reader->wait_count($total, 60), '>=', $total, 'all events arrive');
my (%seen, %last);
my $disorder = 0;
foreach my $m ($reader->messages)
{
	next if $seen{ $m->{value} }++;
	delete $wanted{ $m->{value} };
	$disorder++ if $m->{value} <= ($last{ $m->{key} } // 0);
	$last{ $m->{key} } = $m->{value};
}
is(scalar keys %wanted, 0, 'none is lost');
is($disorder, 0, 'each key in order');
my $repeated = $reader->count - keys %seen;
is($repeated, 0, 'nothing is repeated');
is($streamer->stop, 0, 'stops when asked');

result(
	'broker_away',
	{
		seconds_away => sprintf('%.0f', $away) + 0,
		wal_sender_timeout => $timeout,
		longest_without_reply => sprintf('%.1f', $oldest_reply) + 0,
		events => $tally->{source},
		waiting => $waiting,
		lost => $tally->{lost},
		duplicates => $tally->duplicates,
		peak_rss_mib => sprintf('%.1f', $rss / 1024) + 0,
		seconds_to_resume => sprintf('%.1f', $resumed) + 0,
		seconds_to_stop_postgresql => [ map { sprintf('%.1f', $_) + 0 } @stops ]
	},
	seed => $seed,
	what => 'broker killed under load beyond the in-flight limits; PostgreSQL stopped (fast) while it is away, few in flight and under backpressure'
);
done_testing();
