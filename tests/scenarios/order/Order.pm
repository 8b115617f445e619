# Order.pm - tables, topic and the comparison of both, for the tests beside it.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Order;

use strict;
use warnings FATAL => 'all';

use PgOutbox::Env;
use PgOutbox::Consumer;
use PgOutbox::Kafka;
use PgOutbox::Proc;
use PgOutbox::Wait qw(wait_for);

my $count = 0;

# new(NODE, KAFKA): empty tables and a topic.  Of ten requests, the update of one
# status fails (ids that end with 3), and so does one commit (with 7).
sub new
{
	my ($class, $node, $kafka) = @_;
	my $topic = $kafka->create_topic(PgOutbox::Kafka::unique_name('order'), 3);
	wait_for(sub { return eval { $kafka->messages_in($topic); 1 } }, 20) or die $@;
	$node->safe_psql('postgres', <<'END');
SET client_min_messages = warning;
DROP TABLE IF EXISTS customer, orders, payment;
DROP SEQUENCE IF EXISTS request;
CREATE SEQUENCE request;
CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.id % 10 = TG_ARGV[0]::int THEN
		RAISE EXCEPTION '%', TG_NAME;
	END IF;
	RETURN NEW;
END $$;
DO $$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['customer', 'orders', 'payment'] LOOP
		EXECUTE format('CREATE TABLE %s (id bigint PRIMARY KEY, status text NOT NULL)', t);
		EXECUTE format('CREATE TRIGGER update_fails BEFORE UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION fail(3)', t);
		EXECUTE format('CREATE CONSTRAINT TRIGGER commit_fails AFTER INSERT ON %s DEFERRABLE INITIALLY DEFERRED '
					   'FOR EACH ROW EXECUTE FUNCTION fail(7)', t);
	END LOOP;
END $$;
END
	return bless { node => $node, kafka => $kafka, topic => $topic }, $class;
}

# healthy(): from now on nothing fails in the database
sub healthy
{
	my ($self) = @_;
	$self->{node}->safe_psql('postgres', join ';', map { "ALTER TABLE $_ DISABLE TRIGGER USER" } qw(customer orders payment));
	return;
}

# start(ARGS): the program, in the background
sub start
{
	my ($self, @args) = @_;
	return PgOutbox::Proc->start(
		name => 'order' . ++$count,
		cmd => [ PgOutbox::Env::tool('order'), '-d', $self->{node}->dsn, '-i', $self->{topic}, @args ]);
}

# run(ARGS): to its end; its exit code
sub run
{
	my ($self, @args) = @_;
	my $proc = $self->start(@args);
	defined $proc->wait_exit(60) or die 'it does not end: ' . $proc->log_text;
	return $proc->exit_code;
}

# the arguments of the two ways
sub directly { my ($self) = @_; return ('-b', $self->{kafka}->bootstrap); }
sub by_outbox { return '-o'; }

# compare(): the tables against what consumers were told:
#   saved        rows
#   announced    different events
#   phantom      announced, but there is no such row
#   unannounced  rows that no event tells of
sub compare
{
	my ($self) = @_;
	my (%saved, %announced);
	$saved{$_} = 1 foreach split /\n/, $self->{node}->safe_psql('postgres', <<'END');
SELECT 'customer ' || id FROM customer UNION ALL SELECT 'orders ' || id FROM orders UNION ALL SELECT 'payment ' || id FROM payment
END
	foreach my $m (PgOutbox::Consumer->all($self->{kafka}, $self->{topic}))
	{
		# the database puts members in another order
		my ($table) = $m->{value} =~ /"table": "(\w+)"/ or die "not an event: $m->{value}";
		my ($id) = $m->{value} =~ /"id": (\d+)/ or die "not an event: $m->{value}";
		$announced{"$table $id"} = 1;
	}
	return {
		saved => scalar keys %saved,
		announced => scalar keys %announced,
		phantom => scalar(grep { !$saved{$_} } keys %announced),
		unannounced => scalar(grep { !$announced{$_} } keys %saved)
	};
}

# phantom_unannounced(): these two of them, as text
sub phantom_unannounced { my ($self) = @_; my $c = $self->compare; return "$c->{phantom} $c->{unannounced}"; }

1;
