# 131_http.pl - the port: off unless wanted, refusals, and strangers who talk too
# much, too slowly, in too great numbers or nonsense, while events flow.
#
# brief: sanitize
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use IO::Socket::INET;
use PgOutbox::Node;
use PgOutbox::Http;
use PgOutbox::Streamer;
use PgOutbox::Wait qw(wait_for);
use Test::More;
use Time::HiRes qw(time);

my $node = PgOutbox::Node->ready('main', slot => 'outbox');
my $http = PgOutbox::Http->new;
my $streamer = PgOutbox::Streamer->new(node => $node, slot => 'outbox', config => { sink => { type => 'stdout' } });

# listening(): ports that the process listens on
sub listening
{
	my $pid = $streamer->pid;
	my %inode = map { (readlink($_) // '') =~ /^socket:\[(\d+)\]$/ ? ($1 => 1) : () } glob "/proc/$pid/fd/*";
	my @ports;
	foreach my $file (grep { -e } "/proc/$pid/net/tcp", "/proc/$pid/net/tcp6")
	{
		open my $fh, '<', $file or die "$file: $!";
		while (my $line = <$fh>)
		{
			my @field = split ' ', $line;
			push @ports, hex $1 if $field[3] eq '0A' && $inode{ $field[9] } && $field[1] =~ /:(\w+)$/;
		}
		close $fh;
	}
	return sort { $a <=> $b } @ports;
}

# --- nothing listens unless it is wanted

$streamer->start;
$streamer->wait_for_log(qr/streaming from slot/, 20) or die $streamer->log_text;
is(join(' ', listening()), '', 'by default it listens nowhere');
is($streamer->stop, 0, 'stopped');

# --- what is refused

foreach my $bad ('9464', 'localhost:9464', '127.0.0.1', '127.0.0.1:0', '127.0.0.1:65536', '[::1:80', '1.2.3.4:80 ')
{
	my ($code, $out, $err) = $streamer->run('stream', '-o', "http.listen=$bad");
	is($code, 1, "http.listen = $bad: exit status 1") or next;
	like($err, qr/\Aoutbox-streamer: error\[config-value\]: .*http\.listen.*; hint: .*\n\z/, "http.listen = $bad: one line");
}
{
	my $other = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $http->port, Listen => 1) or die $!;
	my ($code, $out, $err, $seconds) = $streamer->run('stream', '-o', 'http.listen=' . $http->listen);
	is($code, 1, 'port in use: exit status 1');
	like($err, qr/^outbox-streamer: error\[http-listen\]: http\.listen = \S+: Address already in use; hint: another process.*$/m, 'port in use: one line with a hint');
	cmp_ok($seconds, '<', 2, 'at once');
}
my ($code, $out, $err) = $streamer->run('stream', '-o', 'http.listen=192.0.2.1:' . $http->port);
is($code, 1, 'an address of another machine: exit status 1');
like($err, qr/error\[http-listen\].*; hint: an address of this machine/, 'an address of another machine: says so');

# --- what is answered

$streamer->configure({ http => { listen => ':' . $http->port } });
$streamer->start;
is($http->wait_status('/readyz', 200), "streaming\n", 'all addresses: it answers');
is(join(' ', listening()), $http->port, 'on one port');
my ($status, $body, $headers) = $http->get('/livez', method => 'HEAD');
is("$status " . length $body, '200 0', 'HEAD');
is($headers->{'content-length'}, 3, 'HEAD: as long as with GET');
is(($http->get('/'))[0], 404, 'no other path');
is(($http->get('/metrics/'))[0], 404, 'nor one like it');
foreach my $method (qw(POST PUT DELETE OPTIONS TRACE))
{
	($status, $body, $headers) = $http->get('/metrics', method => $method);
	is($status, 405, "$method is refused");
	is($headers->{allow}, 'GET, HEAD', "$method: what is not");
}

# --- strangers; events flow all the while

my $sent = 0;
sub flows
{
	my ($name) = @_;
	my $id = ++$sent;
	$node->safe_psql('postgres', "SELECT outbox.emit('order', 'id$id', 'created', '{}')");
	ok(wait_for(sub { open my $fh, '<', $streamer->output_file or return 0; local $/; (<$fh> // '') =~ /\tid$id\t/ }, 10), "$name: an event passes");
	is(($http->get('/livez', timeout => 2))[0], 200, "$name: a probe is answered");
	return;
}

# each ends, and not with 200
my %hostile = (
	'long line' => 'GET /' . 'x' x 100_000 . " HTTP/1.1\r\n\r\n",
	'huge header' => "GET /metrics HTTP/1.1\r\nHost: x\r\nX: " . 'y' x 1_000_000 . "\r\n\r\n",
	'many headers' => "GET /metrics HTTP/1.1\r\nHost: x\r\n" . join('', map { "X$_: y\r\n" } 1 .. 20_000) . "\r\n",
	'not HTTP' => join('', map { chr($_ * 37 % 256) } 1 .. 5_000) . "\r\n\r\n",
	'TLS' => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . "\0" x 600 . "\r\n\r\n",
	'a body without end' => "POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" . ("ffff\r\n" . 'z' x 65535 . "\r\n") x 20,
	'a huge body' => "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n" . 'z' x 500_000);
foreach my $name (sort keys %hostile)
{
	my $text = $http->raw($hostile{$name}, 15);
	ok(defined $text && $text !~ m{^HTTP/1\.\d 200}, "$name: refused") or diag(defined $text ? substr($text, 0, 200) : 'no end');
	flows($name);
}
my $two = $http->raw("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" x 3, 5) // '';
is(scalar(() = $two =~ m{^HTTP/1\.1 200}mg), 1, 'one answer to a connection');

# silence, and an octet now and then: both end after the lifetime
{
	local $SIG{PIPE} = 'IGNORE';
	my ($silent, $slow) = map { $http->connect } 1 .. 2;
	my $start = time;
	my $head = 'GET /metrics HTTP/1.1' . "\r\nX: " . 'y' x 2_000;
	my $ended = wait_for(
		sub {
			syswrite $slow, substr($head, 0, 1, '');
			return defined PgOutbox::Http::read_all($slow, 0.05);
		},
		30,
		step => 0.2);
	my $seconds = time - $start;
	ok($ended, 'one that is slow for ever is closed');
	cmp_ok($seconds, '<', 15, sprintf 'after its lifetime (%.1f s)', $seconds);
	ok(defined PgOutbox::Http::read_all($silent, 10), 'and so is a silent one');
	flows('slow ones');
}

# many: who comes last is served
my @many = map { $http->connect } 1 .. 300;
ok(!(grep { !defined } @many), '300 connections that say nothing');
flows('300 connections');
my $fds = () = glob '/proc/' . $streamer->pid . '/fd/*';
cmp_ok($fds, '<', 100, "few of them are kept ($fds descriptors)");
ok(wait_for(sub { my $n = () = glob '/proc/' . $streamer->pid . '/fd/*'; $n < 30 }, 20), 'and none after their lifetime');
close $_ foreach @many;

# idle again: the loop sleeps
my $cpu = $streamer->cpu_seconds;
my $until = time + 3;
wait_for(sub { time > $until }, 10, step => 0.5);
cmp_ok($streamer->cpu_seconds - $cpu, '<', 0.1, 'idle, it does nothing');
cmp_ok($streamer->rss_kib, '<', ($ENV{SANITIZE} ? 400 : 32) << 10, 'memory is what it was');

# --- SIGHUP: the port stays

$streamer->configure({ http => { listen => '127.0.0.1:1' } });
$streamer->signal('HUP');
ok($streamer->wait_for_log(qr/warning: http\.listen has changed; this takes effect after a restart/, 10), 'SIGHUP: another port needs a restart');
flows('SIGHUP');
is($streamer->stop, 0, 'stopped');
is(($http->get('/livez', timeout => 2))[0], 599, 'and nobody answers');
done_testing();
