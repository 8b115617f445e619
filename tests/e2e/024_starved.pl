# 024_starved.pl - no thread is to be had, and nobody reads what systemd is told: neither stops the
# rest.  What is missing is waited for with one line, longer and longer.
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Wait qw(wait_for);
use PostgreSQL::Test::Utils qw(slurp_file);
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
use Test::More;

my $node = PgOutbox::Node->ready('main', slot => 'outbox', conf => "log_replication_commands = on\n");
my $kafka = PgOutbox::Kafka->shared;
my $topic = $kafka->create_topic(PgOutbox::Kafka::unique_name('starved'), 1);
my %opt = (node => $node, kafka => $kafka, slot => 'outbox', config => { outbox => { topic => $topic } });
my $starved = PgOutbox::Streamer->new(%opt, name => 'starved', env => { LD_PRELOAD => PgOutbox::Env::tool('no_eventfd.so') });

sub starts { return scalar(() = slurp_file($node->logfile) =~ /received replication command: START_REPLICATION/g); }

$starved->start;
my $line = qr/warning\[out-of-threads\]: no thread can be started.*; hint: raise /;
ok($starved->wait_for_log($line, 20), 'no thread for the producer: it says so');
my $first = starts();
ok(wait_for(sub { starts() >= $first + 5 }, 60), 'and tries again');
my $lines = () = $starved->log_text =~ /$line/g;
is($lines, 1, 'it says so once') or diag($starved->log_text);
is($starved->stop, 0, 'it stops when asked');

my $fed = PgOutbox::Streamer->new(%opt, name => 'fed');
$node->safe_psql('postgres', "SELECT outbox.emit('order', '1', 'e', '{}')");
$fed->start;
ok($node->wait_confirmed('outbox'), 'with a thread all is delivered');
is($fed->stop, 0, 'it stops when asked');

# --- systemd doesn't read what it is told

my $path = PgOutbox::Env::testdir() . '/notify';
my $systemd = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path, Blocking => 0) or die "$path: $!";
my $other = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => $path, Blocking => 0) or die "$path: $!";
my $filled = 0;
$filled++ while defined $other->send('FILLED=1');
cmp_ok($filled, '>', 0, "a socket is full ($filled datagrams)");
my $unheard = PgOutbox::Streamer->new(%opt, name => 'unheard', env => { NOTIFY_SOCKET => $path, WATCHDOG_USEC => 400_000 });
$node->safe_psql('postgres', "SELECT outbox.emit('order', '2', 'e', '{}')");
$unheard->start;
ok($node->wait_confirmed('outbox'), 'nobody hears READY: it streams all the same');
my %heard;
ok(wait_for(sub {
	while (defined $systemd->recv(my $text, 4096)) { $heard{$text}++ }
	return $heard{"READY=1\nSTATUS=streaming"} && $heard{'WATCHDOG=1'};
}, 20), 'once somebody reads again, READY and WATCHDOG come') or diag(join ' ', %heard);
is($unheard->stop, 0, 'it stops when asked');

# --- the server is short of something, and says so instead of a welcome

my $listen = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die "listen: $!";
my $short = fork() // die "fork: $!";
if (!$short)
{
	while (my $client = $listen->accept)
	{
		sysread $client, my $hello, 4096;
		my $text = "SFATAL\0VFATAL\0C53000\0Mcould not open file \"global/pg_filenode.map\": Too many open files in system\0\0";
		syswrite $client, 'E' . pack('N', 4 + length $text) . $text;
	}
	require POSIX;
	POSIX::_exit(0);
}
my $patient = PgOutbox::Streamer->new(%opt, name => 'patient');
$patient->configure({ postgres => { dsn => 'host=127.0.0.1 port=' . $listen->sockport . ' user=x dbname=x sslmode=disable gssencmode=disable' } });
$patient->start;
ok($patient->wait_for_log(qr/^outbox-streamer: (?:warning|error).*Too many open files/m, 20), 'the server has no files left: it says so');
ok(wait_for(sub { !$patient->alive }, 1) ? 0 : 1, 'and waits') or diag($patient->log_text);
is($patient->stop, 0, 'it stops when asked');
kill 'KILL', $short;
waitpid $short, 0;
done_testing();
