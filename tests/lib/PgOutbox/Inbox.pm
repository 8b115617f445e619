# Inbox.pm - inbox-consumer under test, and what the database knows of it.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package PgOutbox::Inbox;

#   my $inbox = PgOutbox::Inbox->new(node => $node, kafka => $kafka, topics => $topic,
#       config => { inbox => { sql => 'SELECT app.apply(:id, :payload)' } });
#   $inbox->start;
#   ok($inbox->wait_handled(100, 30));
#
# Else as PgOutbox::Streamer.  Instances share a consumer: give the same one.

use strict;
use warnings FATAL => 'all';

use parent -norequire, 'PgOutbox::Streamer';

use PgOutbox::Streamer;
use PgOutbox::Wait qw(wait_for);

my $count = 0;

# new(node, kafka, topics, consumer, config, name, database)
sub new
{
	my ($class, %arg) = @_;
	$count++;
	my $config = delete $arg{config} // {};
	my $consumer = delete $arg{consumer} // "consumer$count";
	my $self = PgOutbox::Streamer::new($class, %arg, program => 'inbox-consumer', command => 'consume',
		name => $arg{name} // "inbox$count",
		config => {
			%$config,
			inbox => { consumer => $consumer, topics => $arg{topics}, %{ $config->{inbox} // {} } },
			# a member that dies is missed soon
			kafka => { 'session.timeout.ms' => 6000, 'heartbeat.interval.ms' => 500, %{ $config->{kafka} // {} } } });
	$self->{node} = $arg{node};
	$self->{consumer} = $consumer;
	$self->{database} = $arg{database} // 'postgres';
	return $self;
}

sub consumer { return $_[0]{consumer}; }

sub query
{
	my ($self, $sql) = @_;
	return $self->{node}->safe_psql($self->{database}, $sql);
}

# handled(): messages below the stored offsets, transaction markers among them.
sub handled
{
	my ($self) = @_;
	return $self->query("SELECT coalesce(sum(next_offset), 0) FROM outbox.inbox_offset WHERE consumer = '$self->{consumer}'");
}

# wait_handled(N, SECONDS)
sub wait_handled
{
	my ($self, $n, $seconds) = @_;
	return wait_for(sub { $self->handled >= $n }, $seconds // 60);
}

# dead_letters(): how many in each state, "failed=1 queued=2".  What comes while the first
# of its key is run has the state of one that is called by nobody ("waiting"), and waits
# behind it all the same: here it is queued, too.
sub dead_letters
{
	my ($self) = @_;
	return $self->query(<<"SQL");
SELECT coalesce(string_agg(state || '=' || n, ' ' ORDER BY state), '') FROM (
	SELECT CASE WHEN d.state = 'waiting' AND EXISTS (SELECT FROM outbox.inbox_dead_letter AS e
			WHERE e.consumer = d.consumer AND e.topic = d.topic AND e.key = d.key AND (e.partition, e.message_offset) < (d.partition, d.message_offset))
		THEN 'queued' ELSE d.state END AS state, count(*) AS n
	FROM outbox.inbox_dead_letter AS d WHERE d.consumer = '$self->{consumer}' GROUP BY 1) AS x
SQL
}

# ids(): how many ids are recorded
sub ids
{
	my ($self) = @_;
	return $self->query("SELECT count(*) FROM outbox.inbox WHERE consumer = '$self->{consumer}'");
}

1;
