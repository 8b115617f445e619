# Consumer.pm - an independent consumer: everything that topics hold, byte for byte.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Consumer;

# Checkers trust the source tables and this: it shares no code with the programs
# under test.  tests/tools/ktool.c reads every partition of the topics from its
# beginning, without a consumer group, and writes frames with lengths, so that
# values may hold any octet.
#
#   my $consumer = PgOutbox::Consumer->start($kafka, '^outbox\.event\..*');
#   $consumer->wait_count(1000, 30);
#   foreach my $m ($consumer->messages) { $m->{key} ... }
#
# or, for what is there now: PgOutbox::Consumer->all($kafka, 'topic').
#
# A message is a hash: topic, partition, offset, timestamp (ms), received (us
# since the epoch, when this consumer saw it), key, value (undef for NULL),
# headers: [[name, value], ...] in their order (value undef for null).

use strict;
use warnings FATAL => 'all';

use PgOutbox::Env;
use PgOutbox::Kafka;
use PgOutbox::Proc;
use PgOutbox::Wait qw(wait_for);

# start(KAFKA, TOPIC or ^REGEX, ..., { isolation => 'read_committed', properties => {} })
sub start
{
	my ($class, $kafka, @topics) = @_;
	my $opt = ref $topics[-1] ? pop @topics : {};
	my $out = PgOutbox::Env::testdir() . '/' . PgOutbox::Kafka::unique_name('consumer');
	my %properties = (
		'isolation.level' => $opt->{isolation} // 'read_committed',
		%{ $opt->{properties} // {} });
	my $proc = PgOutbox::Proc->start(
		name => 'consumer',
		stdout => "$out.bin",
		log => "$out.log",
		cmd => [
			PgOutbox::Env::tool('ktool'), '-b', $kafka->bootstrap,
			(map { ('-X', "$_=$properties{$_}") } sort keys %properties),
			'dump', ($opt->{until_end} ? '-e' : ()), @topics
		]);
	# the child may not have opened it yet
	wait_for(sub { -e "$out.bin" }, 10, step => 0.005);
	open my $fh, '<:raw', "$out.bin" or die "$out.bin: $!";
	return bless { proc => $proc, fh => $fh, buffer => '', pos => 0, messages => [] }, $class;
}

# all(KAFKA, TOPICS, {options}): what is there now, as a list.
sub all
{
	my ($class, $kafka, @topics) = @_;
	my $opt = ref $topics[-1] ? pop @topics : {};
	my $self = $class->start($kafka, @topics, { %$opt, until_end => 1 });
	defined $self->{proc}->wait_exit($opt->{seconds} // 120) && $self->{proc}->exit_code == 0
	  or die 'consumer: ' . $self->{proc}->log_text;
	return $self->messages;
}

# poll(CODE): reads what has been written since, calls CODE for each new message
# (and keeps it only if there is no CODE).  Returns how many were new.
sub poll
{
	my ($self, $code) = @_;
	my $new = 0;
	while (1)
	{
		my $m = $self->_next;
		if ($m)
		{
			$new++;
			$self->{count}++;
			if ($code) { $code->($m); }
			else       { push @{ $self->{messages} }, $m; }
			next;
		}
		if ($self->{pos} > 0)
		{
			substr $self->{buffer}, 0, $self->{pos}, '';
			$self->{pos} = 0;
		}
		my $got = sysread $self->{fh}, $self->{buffer}, 1 << 20, length $self->{buffer};
		die "consumer: $!" unless defined $got;
		last if $got == 0;
	}
	return $new;
}

# One frame, or nothing if it isn't there in whole yet:
#   topic TAB partition TAB offset TAB timestamp TAB received TAB keylen TAB
#   valuelen TAB { namelen : valuelen }... LF key value name value ... LF
sub _next
{
	my ($self) = @_;
	my $end = index $self->{buffer}, "\n", $self->{pos};
	return if $end < 0;
	my ($topic, $partition, $offset, $timestamp, $received, @length) =
	  split /\t/, substr $self->{buffer}, $self->{pos}, $end - $self->{pos};
	my $need = 0;
	foreach my $length (map { split /:/ } @length)
	{
		$need += $length if $length > 0;
	}
	my $at = $end + 1;
	return if length($self->{buffer}) < $at + $need + 1;
	my $take = sub {
		my ($length) = @_;
		return if $length < 0;
		my $octets = substr $self->{buffer}, $at, $length;
		$at += $length;
		return $octets;
	};
	my $m = {
		topic => $topic,
		partition => $partition,
		offset => $offset,
		timestamp => $timestamp,
		received => $received
	};
	$m->{key} = $take->(shift @length);
	$m->{value} = $take->(shift @length);
	$m->{headers} = [ map { [ map { scalar $take->($_) } split /:/ ] } @length ];
	substr($self->{buffer}, $at, 1) eq "\n" or die "consumer: frame out of step";
	$self->{pos} = $at + 1;
	return $m;
}

# messages(): all that were kept so far, in the order of their arrival.
sub messages
{
	my ($self) = @_;
	$self->poll;
	return @{ $self->{messages} };
}

sub count { my ($self) = @_; $self->poll; return $self->{count} // 0; }

# wait_count(N, SECONDS): until at least N messages have come; how many there are.
sub wait_count
{
	my ($self, $n, $seconds) = @_;
	wait_for(sub { return $self->count >= $n || !$self->{proc}->alive }, $seconds // 60, step => 0.01);
	return $self->count;
}

# wait_for(CODE, SECONDS): until a message satisfies CODE; that message, or undef.
# Looks at every kept message once.
sub wait_message
{
	my ($self, $code, $seconds) = @_;
	my $seen = 0;
	return wait_for(
		sub {
			$self->poll;
			while ($seen < @{ $self->{messages} })
			{
				my $m = $self->{messages}[ $seen++ ];
				return $m if $code->($m);
			}
			return;
		},
		$seconds // 30,
		step => 0.005);
}

# header(MESSAGE, NAME): value of its last header of that name; undef if it has none.
sub header
{
	my ($m, $name) = @_;
	my ($found) = grep { $_->[0] eq $name } reverse @{ $m->{headers} };
	return $found ? $found->[1] : undef;
}

sub alive { return $_[0]{proc}->alive; }
sub stop { return $_[0]{proc}->stop(10); }

1;
