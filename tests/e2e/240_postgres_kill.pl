# 240_postgres_kill.pl - PostgreSQL is killed and restarted while the streamer lives.
#
# A server that comes back after a crash, and up to PostgreSQL 16 after a clean stop
# too, may have a slot that stands before what was confirmed.  The streamer that
# survived knows better: nothing is lost, nothing repeated, every key stays in order.
# The first host of its connection string refuses connections all the time.
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

my $events = sized(20_000, 300_000);
my $kills = sized(3, 10);
my $stops = sized(1, 3);
my $rate = sized(2_000, 6_000);
my $seed = seed();

my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $kafka = PgOutbox::Kafka->shared;
my $topic = PgOutbox::Tally::topic($kafka, PgOutbox::Kafka::unique_name('load'), 6);
my $closed = PgOutbox::Kafka::free_port();
my $streamer = PgOutbox::Streamer->new(
	node => $node,
	kafka => $kafka,
	slot => 'outbox',
	config => {
		postgres => {
			dsn => "host=127.0.0.1,127.0.0.1 port=$closed," . $node->port . ' dbname=postgres user=' . getpwuid($<)
		}
	});
my $load = PgOutbox::Load->new($node, topic => $topic, events => $events, rate => $rate, seed => $seed);
my $tally = PgOutbox::Tally->new($kafka, $topic);
my $rewound = 0;

sub start_again
{
	# processes of a killed postmaster take a moment to notice
	wait_for(sub { $node->start(fail_ok => 1) }, 30, step => 0.1) or die 'PostgreSQL does not start';
	return;
}

# kill_postgres(LOOK): with LOOK the streamer stands still meanwhile, so that we see
# where the slot is before it says where it should be.
sub kill_postgres
{
	my ($look) = @_;
	$streamer->pause if $look;
	my $confirmed = PgOutbox::Tally::lsn($node->slot_lsn('outbox'));
	$node->kill9;
	start_again();
	if ($look)
	{
		my $after = PgOutbox::Tally::lsn($node->slot_lsn('outbox'));
		$rewound++ if $after < $confirmed;
		note(sprintf 'slot: %d octets back', $confirmed - $after);
		$streamer->resume;
	}
	return;
}

sub stop_postgres
{
	my ($mode) = @_;
	note("stop $mode");
	$node->stop($mode);
	start_again();
	return;
}

my @incidents = map { my $look = $_ % 2; sub { kill_postgres($look) } } 1 .. $kills;
foreach my $i (1 .. $stops)
{
	my $mode = $i % 2 ? 'fast' : 'immediate';
	splice @incidents, rand @incidents, 0, sub { stop_postgres($mode) };
}
my @at = map { ($_ + 0.2 + rand 0.6) * $load->{events} / @incidents } 0 .. $#incidents;
$streamer->start;
$load->start;
my $started = time;
foreach my $i (0 .. $#incidents)
{
	$load->allow($i < $#at ? $at[ $i + 1 ] : ($at[$i] + $events) / 2);
	$tally->wait_arrived($at[$i], 120, sub { $load->poll }) or die "only $tally->{arrived} of $at[$i]: " . $streamer->log_text;
	$incidents[$i]->();
	$load->poll;
}
cmp_ok($load->committed, '<', $load->{events}, 'events flowed to the last of it');
$load->allow($load->{events});
ok($load->wait(300), 'writers are done');
ok($node->wait_confirmed('outbox', undef, 120), 'all is confirmed');
my $seconds = time - $started;

ok($streamer->alive, 'one streamer all the time');
$tally->check($load);
is($tally->duplicates, 0, 'nothing is repeated');
cmp_ok($rewound, '>', 0, "the slot stood before what was confirmed, $rewound time(s)");
my $log = $streamer->log_text;
my $lines = () = $log =~ /\n/g;
my $restarts = $kills + $stops;
cmp_ok($lines, '<=', 5 * $restarts + 5, 'a few lines of log for each restart') or diag($log);
is($streamer->stop, 0, 'stops when asked');

result(
	'postgres_kill',
	{
		events => $tally->{source},
		kills => $kills,
		clean_restarts => $stops,
		rewound_slots => $rewound,
		lost => $tally->{lost},
		duplicates => $tally->duplicates,
		seconds => sprintf('%.0f', $seconds) + 0
	},
	seed => $seed,
	what => 'events while PostgreSQL is killed with SIGKILL and restarted, several hosts in the connection string, one streamer'
);
done_testing();
