# Http.pm - what a program of ours answers over HTTP: probes and metrics.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Http;

#   my $http = PgOutbox::Http->new;                    # a free port
#   ... config => { http => { listen => $http->listen } } ...
#   my ($status, $body) = $http->get('/readyz');       # 599: no answer
#   my $m = $http->metrics;                            # { 'name{label="x"}' => value }
#   $http->wait_status('/readyz', 200, 10);
#   my $text = $http->raw("GET / HTTP/1.1\r\n\r\n", 5);

use strict;
use warnings FATAL => 'all';

use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use PgOutbox::Kafka;
use PgOutbox::Wait qw(wait_for);
use Time::HiRes qw(time);

sub new
{
	my ($class, %arg) = @_;
	return bless { port => $arg{port} // PgOutbox::Kafka::free_port() }, $class;
}

sub port { return $_[0]{port}; }
sub listen { return "127.0.0.1:$_[0]{port}"; }

# get(PATH, timeout => 5, method => 'GET'): status, body, headers
sub get
{
	my ($self, $path, %opt) = @_;
	my $answer = HTTP::Tiny->new(timeout => $opt{timeout} // 5)
	  ->request($opt{method} // 'GET', 'http://' . $self->listen . $path);
	return ($answer->{status}, $answer->{content} // '', $answer->{headers});
}

# wait_status(PATH, STATUS, SECONDS): the body that came with it; undef if it never came
sub wait_status
{
	my ($self, $path, $wanted, $seconds) = @_;
	my $found;
	wait_for(
		sub {
			my ($status, $body) = $self->get($path);
			$found = $body if $status == $wanted;
			return $status == $wanted;
		},
		$seconds // 20) or return;
	return $found;
}

# text(): what /metrics says
sub text
{
	my ($self) = @_;
	my ($status, $body) = $self->get('/metrics');
	die "/metrics: $status $body\n" if $status != 200;
	return $body;
}

# metrics(): its samples
sub metrics
{
	my ($self) = @_;
	my %value;
	foreach my $line (grep { !/^#/ } split /\n/, $self->text)
	{
		$line =~ /^([a-z_]+(?:\{.*\})?) (\S+)$/ or die "no sample: $line\n";
		die "twice: $1\n" if exists $value{$1};
		$value{$1} = $2;
	}
	return \%value;
}

# state(): which of outbox_streamer_state's labels has 1
sub state
{
	my ($self) = @_;
	my $metrics = $self->metrics;
	my @states = grep { $metrics->{"outbox_streamer_state{state=\"$_\"}"} } qw(connecting standby streaming draining);
	return "@states";
}

# connect(): a socket
sub connect
{
	my ($self) = @_;
	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Timeout => 5);
}

# read_all(SOCKET, SECONDS): everything up to the connection's end; undef if it doesn't end
sub read_all
{
	my ($socket, $seconds) = @_;
	my $until = time + $seconds;
	my $text = '';
	my $select = IO::Select->new($socket);
	while ((my $left = $until - time) > 0)
	{
		$select->can_read($left) or last;
		# one that was reset has ended, too
		return $text if !sysread $socket, my $octets, 65536;
		$text .= $octets;
	}
	return;
}

# raw(OCTETS, SECONDS): sends them, and reads what comes until the other side closes
sub raw
{
	my ($self, $octets, $seconds) = @_;
	my $socket = $self->connect or return;
	local $SIG{PIPE} = 'IGNORE';
	syswrite $socket, $octets;
	return read_all($socket, $seconds // 5);
}

1;
