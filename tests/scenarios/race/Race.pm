# Race.pm - topic, tables, consumers and the gate, for the tests beside it.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Race;

use strict;
use warnings FATAL => 'all';

use PgOutbox::Env;
use PgOutbox::Kafka;
use PgOutbox::Proc;
use PgOutbox::Wait qw(wait_for);

my $count = 0;

# new(NODE, KAFKA, PARTITIONS): a topic, a group and empty tables
sub new
{
	my ($class, $node, $kafka, $partitions) = @_;
	my $name = PgOutbox::Kafka::unique_name('race');
	my $topic = $kafka->create_topic($name, $partitions);
	# a new topic's partitions have no leader yet
	wait_for(sub { return eval { $kafka->messages_in($topic); 1 } }, 20) or die $@;
	$node->safe_psql('postgres', <<'END');
DROP TABLE IF EXISTS test1, test2;
CREATE TABLE test1 (id bigserial PRIMARY KEY, user_id bigint, last_access_time timestamp);
CREATE TABLE test2 (user_id bigint PRIMARY KEY, last_access_time timestamp);
END
	return bless { node => $node, kafka => $kafka, name => $name, topic => $topic, consumers => [] }, $class;
}

sub sql { my ($self, $sql) = @_; return $self->{node}->safe_psql('postgres', $sql); }

# clock(N): what the Nth event of a user says
sub clock { return sprintf '2026-01-01 %02d:%02d:%02d', int($_[0] / 3600), int($_[0] / 60) % 60, $_[0] % 60; }

# event(USER, N): the message's value
sub event { return sprintf '{"user_id": %d, "last_access_time": "%s"}', $_[0], Race::clock($_[1]); }

# emit(N, USERS): their Nth events, through the outbox; the aggregate is the user, so
# the user's id is the key
sub emit
{
	my ($self, $n, @users) = @_;
	$self->sql("SELECT outbox.emit('user', u::text, 'UserSeen', "
		  . "jsonb_build_object('user_id', u, 'last_access_time', '" . Race::clock($n) . "'), topic => '$self->{topic}') "
		  . 'FROM unnest(ARRAY[' . join(',', @users) . ']) u');
	return;
}

# ---- consumers

# add(ARGS): one more in the group
sub add
{
	my ($self, @args) = @_;
	my $consumer = PgOutbox::Proc->start(
		name => 'race' . ++$count,
		cmd => [
			PgOutbox::Env::tool('race'), '-b', $self->{kafka}->bootstrap, '-g', $self->{name},
			'-i', $self->{topic}, '-d', $self->{node}->dsn, @args ]);
	push @{ $self->{consumers} }, $consumer;
	return $consumer;
}

# partitions(CONSUMER): how many it has
sub partitions { my ($self, $consumer) = @_; return ($consumer->log_text =~ /has (\d+) partitions/g)[-1] // 0; }

# settled(N): until every living consumer has N partitions (default: at least one)
sub settled
{
	my ($self, $n) = @_;
	my $even = wait_for(
		sub {
			my @has = map { $self->partitions($_) } grep { $_->alive } @{ $self->{consumers} };
			return !grep { defined $n ? $_ != $n : $_ == 0 } @has;
		},
		60);
	return $even || die 'the group does not settle';
}

# leave(): all of them
sub leave { my ($self) = @_; $_->stop foreach @{ $self->{consumers} }; $self->{consumers} = []; return; }

# ---- the gate

# hold(USER, PARTITIONS): whoever handles an event of this user from one of these
# partitions stops between looking and writing
sub hold
{
	my ($self, $user, @partitions) = @_;
	my $name = 'hold' . ++$count;
	my $holder = PgOutbox::Proc->start(
		name => $name,
		cmd => [
			PgOutbox::Env::pgbin() . '/psql', '-X', '-q', '-d', $self->{node}->socket_dsn, '-c', "SET application_name = '$name'",
			(map { ('-c', "SELECT pg_advisory_lock($_, $user)") } @partitions), '-c', 'SELECT pg_sleep(600)' ]);
	$self->{node}->wait_until("SELECT count(*) = @{[scalar @partitions]} FROM pg_locks JOIN pg_stat_activity USING (pid) "
		  . "WHERE application_name = '$name' AND locktype = 'advisory' AND granted")
	  or die 'the gate stays open';
	return { name => $name, proc => $holder };
}

sub release
{
	my ($self, $hold) = @_;
	$self->sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '$hold->{name}'");
	$hold->{proc}->wait_exit(20);
	return;
}

# at_gate(USER): how many consumers stand there
sub at_gate
{
	my ($self, $user) = @_;
	return $self->sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = $user AND NOT granted");
}

sub wait_at_gate
{
	my ($self, $user, $n) = @_;
	return wait_for(sub { $self->at_gate($user) == $n }, 30) || die "not $n at the gate";
}

# ---- what has become of it

# rows(): of test1
sub rows { return $_[0]->sql('SELECT count(*) FROM test1'); }

# duplicates(): rows of test1 beyond the one that each user should have
sub duplicates { return $_[0]->sql('SELECT count(*) - count(DISTINCT user_id) FROM test1'); }

# behind(N, USERS): how many users from 1 on have no row that says what their Nth event said
sub behind
{
	my ($self, $n, $users) = @_;
	return $self->sql("SELECT count(*) FROM generate_series(1, $users) u LEFT JOIN test1 ON user_id = u "
		  . "WHERE last_access_time IS DISTINCT FROM '" . Race::clock($n) . "'");
}

# moves(CODE): runs it while events are handled: true once some have been since
sub moves
{
	my ($self, $code) = @_;
	my $sum = 'SELECT coalesce(sum(extract(epoch FROM last_access_time)), 0) FROM test1';
	my $then = $self->sql($sum);
	$code->();
	return wait_for(sub { $self->sql($sum) > $then }, 60);
}

# seen(TABLE, USER): what the user's row says
sub seen { my ($self, $table, $user) = @_; return $self->sql("SELECT last_access_time FROM $table WHERE user_id = $user"); }

1;
