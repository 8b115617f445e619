# Relay.pm - a TCP relay that can fall silent: a network that is cut without a word.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Relay;

#   my $relay = PgOutbox::Relay->start($node->port);
#   ... a client connects to port $relay->port of 127.0.0.1 ...
#   $relay->pause;      # connections stay, nothing passes, not even their end
#   $relay->resume;

use strict;
use warnings FATAL => 'all';

use PgOutbox::Env;
use PgOutbox::Kafka;
use PgOutbox::Proc;
use PgOutbox::Wait qw(wait_for);
use IO::Select;
use IO::Socket::INET;

my $count = 0;

sub start
{
	my ($class, $target) = @_;
	my $self = bless { port => PgOutbox::Kafka::free_port() }, $class;
	$self->{proc} = PgOutbox::Proc->start(
		name => 'relay' . ++$count,
		cmd => [ $^X, (map { "-I$_" } grep { !ref } @INC), __FILE__, $self->{port}, $target ]);
	wait_for(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}) }, 20)
	  or die 'relay: ' . $self->{proc}->log_text;
	return $self;
}

sub port { return $_[0]{port}; }
sub pause { return $_[0]{proc}->signal('STOP'); }
sub resume { return $_[0]{proc}->signal('CONT'); }
sub stop { return $_[0]{proc}->stop; }

# waiting(): octets that clients of the relay have got and not yet read
sub waiting
{
	my ($self) = @_;
	my $sum = 0;
	my $port = sprintf ':%04X', $self->{port};
	open my $fh, '<', '/proc/net/tcp' or die "/proc/net/tcp: $!";
	while (my $line = <$fh>)
	{
		my (undef, undef, $remote, undef, $queues) = split ' ', $line;
		$sum += hex((split /:/, $queues)[1]) if $remote =~ /\Q$port\E$/;
	}
	return $sum;
}

# ---- the relay itself: this file as a program

sub _pass
{
	my ($from, $to) = @_;
	my $got = sysread $from, my $data, 65536;
	return 0 if !$got;
	while (length $data)
	{
		my $put = syswrite($to, $data) // return 0;
		substr $data, 0, $put, '';
	}
	return 1;
}

sub _relay
{
	my ($port, $target) = @_;
	my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 20, ReuseAddr => 1)
	  or die "port $port: $!\n";
	my $select = IO::Select->new($server);
	my %peer;
	local $SIG{PIPE} = 'IGNORE';
	while (1)
	{
		foreach my $ready ($select->can_read)
		{
			if ($ready == $server)
			{
				my $client = $server->accept or next;
				my $onward = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $target) or next;
				@peer{ $client, $onward } = ($onward, $client);
				$select->add($client, $onward);
				next;
			}
			my $other = $peer{$ready} or next;
			next if _pass($ready, $other);
			delete @peer{ $ready, $other };
			$select->remove($ready, $other);
			close $_ foreach $ready, $other;
		}
	}
	return;
}

_relay(@ARGV) if !caller;

1;
