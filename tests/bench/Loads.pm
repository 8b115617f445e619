# Loads.pm - events in the WAL behind a slot, to be read again and again.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Loads;

# A load is written once, behind a slot that is never read.  Each measurement reads
# a copy of that slot, made for the plugin in question, so that all get the same WAL.
# Payloads have about 212 octets as text.
#
# A name is SHAPE_TABLE, for instance single_jsonb.  Shapes are the rows of a
# transaction: single (one), bulk (1,000), whole (all in one), and mixed: one event,
# then a transaction of other tables with some hundred times as much WAL.
# Tables: json, jsonb (the payload's type), and wide (jsonb, with 1,000 topics and
# 100,000 keys in columns of their own, and no index).

use strict;
use warnings FATAL => 'all';

use PgOutbox::Env;
use PgOutbox::Proc;

# rows that one session writes in twenty seconds or so
my $many = 1_000_000;

my $copies = 0;

sub new
{
	my ($class, $node) = @_;
	$node->safe_psql('postgres', <<'END');
CREATE SCHEMA bench;
CREATE TABLE bench.event_json (id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY,
	aggregatetype text NOT NULL, aggregateid text NOT NULL, type text NOT NULL, payload json);
CREATE TABLE bench.event_jsonb (id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY,
	aggregatetype text NOT NULL, aggregateid text NOT NULL, type text NOT NULL, payload jsonb);
CREATE TABLE bench.event_wide (id uuid NOT NULL DEFAULT gen_random_uuid(),
	aggregatetype text NOT NULL, aggregateid text NOT NULL, type text NOT NULL, payload jsonb,
	far_topic text NOT NULL, far_key text NOT NULL);
CREATE TABLE bench.unrelated (filler text NOT NULL);
ALTER TABLE bench.unrelated ALTER filler SET STORAGE PLAIN;
CREATE PUBLICATION bench FOR TABLE bench.event_json, bench.event_jsonb, bench.event_wide, outbox.event;

CREATE FUNCTION bench.payload(n bigint) RETURNS json LANGUAGE sql IMMUTABLE AS $$
	SELECT json_build_object('order_id', n, 'customer', 'Customer name ' || n % 1000, 'total', 123.45, 'currency', 'EUR',
		'items', json_build_array(json_build_object('sku', 'SKU-1234', 'qty', 2), json_build_object('sku', 'SKU-9876', 'qty', 1)),
		'note', 'some text that pads the payload a bit') $$;
CREATE PROCEDURE bench.load(kind text, first bigint, last bigint, per bigint, unrelated int) LANGUAGE plpgsql AS $$
DECLARE
	statement text := format('INSERT INTO bench.event_%s (aggregatetype, aggregateid, type, payload%s)
		SELECT ''order'', n %% 10000, ''OrderPlaced'', bench.payload(n)::text::%s%s
		FROM generate_series($1 * $2 + 1, $1 * $2 + $2) n', kind,
		CASE kind WHEN 'wide' THEN ', far_topic, far_key' END,
		CASE kind WHEN 'wide' THEN 'jsonb' ELSE kind END,
		CASE kind WHEN 'wide' THEN ', ''bench.far.'' || n % 1000, (n % 100000)::text' END);
BEGIN
	FOR i IN first .. last LOOP
		EXECUTE statement USING i, per;
		COMMIT;
		IF unrelated > 0 THEN
			INSERT INTO bench.unrelated SELECT repeat('x', 1000) FROM generate_series(1, unrelated);
			COMMIT;
		END IF;
	END LOOP;
END $$;
END
	return bless { node => $node, loads => {} }, $class;
}

# get(NAME, ROWS): written at first use.
sub get
{
	my ($self, $name, $rows) = @_;
	my ($shape, $type) = split /_/, $name;
	my $known = $self->{loads}{"$name/$rows"};
	return $known if $known;
	my $node = $self->{node};
	my $slot = "base_${name}_$rows";
	my $per = { single => 1, mixed => 1, bulk => $rows < 1000 ? $rows : 1000, whole => $rows }->{$shape};
	my $unrelated = $shape eq 'mixed' ? 60 : 0;
	$node->create_slot($slot);
	my $begin = $node->safe_psql('postgres', 'SELECT pg_current_wal_flush_lsn()');
	_write($node, $type, int($rows / $per), $per, $unrelated);
	# a commit that is flushed, and a position behind everything
	$node->safe_psql('postgres', 'CREATE TABLE bench.flush(); DROP TABLE bench.flush; CHECKPOINT');
	my $end = $node->safe_psql('postgres', 'SELECT pg_current_wal_flush_lsn()');
	return $self->{loads}{"$name/$rows"} = {
		name => $name,
		slot => $slot,
		table => "bench.event_$type",
		rows => int($rows / $per) * $per,
		end => $end,
		octets => $node->safe_psql('postgres', "SELECT pg_wal_lsn_diff('$end', '$begin')")
	};
}

# TRANSACTIONS of PER rows each; by two sessions where one would take minutes.
sub _write
{
	my ($node, $type, $transactions, $per, $unrelated) = @_;
	my $writers = $transactions * $per > $many ? 2 : 1;
	my @first = map { int($transactions * $_ / $writers) } 0 .. $writers;
	my @running = map {
		my $last = $first[ $_ + 1 ] - 1;
		PgOutbox::Proc->start(
			name => "writer$_",
			cmd => [
				PgOutbox::Env::pgbin() . '/psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'),
				'-c', 'SET synchronous_commit = off', '-c', "CALL bench.load('$type', $first[$_], $last, $per, $unrelated)" ])
	} 0 .. $writers - 1;
	foreach my $writer (@running)
	{
		($writer->wait_exit(1800) // 1) == 0 or die "writing a load failed\n" . $writer->log_text;
	}
	return;
}

# forget(LOAD): gives its WAL back.
sub forget
{
	my ($self, $load) = @_;
	$self->drop($load->{slot});
	my $loads = $self->{loads};
	delete @$loads{ grep { $loads->{$_} == $load } keys %$loads };
	$self->{node}->safe_psql('postgres', "TRUNCATE $load->{table}; TRUNCATE bench.unrelated; CHECKPOINT");
	return;
}

# copy(LOAD, PLUGIN): the name of a slot of its own
sub copy
{
	my ($self, $load, $plugin) = @_;
	my $slot = 'copy' . ++$copies;
	$self->{node}->safe_psql('postgres',
		"SELECT pg_copy_logical_replication_slot('$load->{slot}', '$slot', false, '$plugin')");
	return $slot;
}

sub drop
{
	my ($self, $slot) = @_;
	my $node = $self->{node};
	$node->wait_until("SELECT NOT active FROM pg_replication_slots WHERE slot_name = '$slot'", 20);
	$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('$slot')");
	return;
}

# drop_others(): slots that a section has left, but for those of loads.
sub drop_others
{
	my ($self) = @_;
	my $known = join ', ', map { "'$_->{slot}'" } values %{ $self->{loads} };
	my $which = $known eq '' ? '' : "WHERE slot_name NOT IN ($known)";
	my @left = split /\n/, $self->{node}->safe_psql('postgres', "SELECT slot_name FROM pg_replication_slots $which");
	$self->drop($_) foreach @left;
	return;
}

1;
