# Tally.pm - what has arrived of a PgOutbox::Load, held against the source table.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Tally;

#   my $topic = PgOutbox::Tally::topic($kafka, 'load', 8);
#   my $tally = PgOutbox::Tally->new($kafka, $topic);
#   $tally->poll; $tally->arrived; ...
#   $tally->check($load);                     # test points
#
# Trusts the table and an independent consumer only.  The topic's timestamps are the
# broker's (LogAppendTime), so that the consumer's own lag doesn't count.

use strict;
use warnings FATAL => 'all';
no warnings qw(portable);    # an LSN has 64 bits

use PgOutbox::Consumer;
use PgOutbox::Wait qw(wait_for);
use Test::More;

# topic(KAFKA, NAME, PARTITIONS): made for a tally.
sub topic
{
	my ($kafka, $name, $partitions) = @_;
	return $kafka->create_topic($name, $partitions, 'message.timestamp.type' => 'LogAppendTime');
}

# lsn(TEXT): 'X/Y' as a number.
sub lsn
{
	my ($high, $low) = $_[0] =~ m{^([0-9A-Fa-f]+)/([0-9A-Fa-f]+)$} or die "not an LSN: $_[0]\n";
	return hex($high) << 32 | hex($low);
}

sub new
{
	my ($class, $kafka, $topic) = @_;
	return bless {
		kafka => $kafka,
		topic => $topic,
		consumer => PgOutbox::Consumer->start($kafka, $topic),
		received => 0,     # messages
		arrived => 0,      # different events
		times => [],       # number => how often
		lsn => [],         # number => end of its commit
		appended => [],    # number => when the broker had it first, ms
		text => [],        # number => key and payload
		recent => [],      # numbers of those that may be unconfirmed
		last => {},        # key => [number in its group, position, partition]
		foreign => 0,
		disorder => 0,
		changed => 0,
		newest => 0        # the highest LSN
	}, $class;
}

sub received { return $_[0]{received}; }
sub arrived { return $_[0]{arrived}; }

# poll(): takes in what has come since.
sub poll
{
	my ($self) = @_;
	return $self->{consumer}->poll(sub { $self->_take($_[0]) });
}

sub _take
{
	my ($self, $m) = @_;
	my $position = PgOutbox::Consumer::header($m, 'outbox.position') // '';
	my ($n) = ($m->{value} // '') =~ /"n": (\d+)/;
	my ($s) = ($m->{value} // '') =~ /"s": (\d+)/;
	my ($lsn) = $position =~ m{^[0-9A-F]{8}/([0-9A-F]{16})/[0-9A-F]{8}$};
	$self->{received}++;
	if (!defined $n || !defined $s || !defined $lsn)
	{
		$self->{foreign}++;
		return;
	}
	$lsn = hex $lsn;
	my $text = "$m->{key}\t$m->{value}";
	if ($self->{times}[$n]++)
	{
		$self->{changed}++ if $text ne $self->{text}[$n] || $lsn != $self->{lsn}[$n];
		return;
	}
	$self->{arrived}++;
	push @{ $self->{recent} }, $n;
	$self->{lsn}[$n] = $lsn;
	$self->{text}[$n] = $text;
	$self->{appended}[$n] = $m->{timestamp};
	$self->{newest} = $lsn if $lsn > $self->{newest};

	my $last = $self->{last}{ $m->{key} };
	$self->{disorder}++
	  if $last && ($last->[0] >= $s || $last->[1] ge $position || $last->[2] != $m->{partition});
	$self->{last}{ $m->{key} } = [ $s, $position, $m->{partition} ];
	return;
}

# catch_up(): until everything that the topic holds now has been taken in.
sub catch_up
{
	my ($self) = @_;
	my $there = $self->{kafka}->messages_in($self->{topic});
	wait_for(sub { $self->poll; return $self->{received} >= $there }, 60, step => 0.002)
	  or die "consumer: $self->{received} of $there\n";
	return;
}

# wait_arrived(N, SECONDS, CODE): until that many different events are there; CODE is
# called all the while.
sub wait_arrived
{
	my ($self, $n, $seconds, $code) = @_;
	return wait_for(
		sub {
			$self->poll;
			$code->() if $code;
			return $self->{arrived} >= $n;
		},
		$seconds,
		step => 0.01);
}

# check(LOAD): lost, never committed, order.  Call it once all is confirmed.
sub check
{
	my ($self, $load) = @_;
	my ($source, $lost, $changed, $known) = (0, 0, 0, 0);
	$self->catch_up;
	$load->source(
		sub {
			my ($n, $key, $payload) = @_;
			$source++;
			my $text = $self->{text}[$n];
			$lost++ if !defined $text;
			return if !defined $text;
			$known++;
			$changed++ if $text ne "$key\t$payload";
		});
	$self->{source} = $source;
	$self->{lost} = $lost;
	is($source, $load->{events}, "$source events were committed");
	is($lost, 0, 'nothing is lost');
	is($self->{arrived} - $known + $self->{foreign}, 0, 'nothing arrived that was not committed');
	is($changed + $self->{changed}, 0, 'all octets as in the table');
	is($self->{disorder}, 0, 'every key in commit order, on one partition');
	return;
}

sub duplicates { return $_[0]{received} - $_[0]{arrived} - $_[0]{foreign}; }

# unconfirmed(LSN): numbers of the events that have arrived and lie behind this
# position, which never moves back.
sub unconfirmed
{
	my ($self, $confirmed) = @_;
	my $lsn = $self->{lsn};
	$self->{recent} = [ grep { $lsn->[$_] > $confirmed } @{ $self->{recent} } ];
	return @{ $self->{recent} };
}

# repeated(): numbers of the events that have arrived more than once.
sub repeated
{
	my ($self) = @_;
	my $times = $self->{times};
	return grep { ($times->[$_] // 0) > 1 } 0 .. $#$times;
}

1;
