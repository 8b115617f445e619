# Loads.pm - events in the WAL behind a slot, to be read again and again.
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

package Loads;

# A load is written once, behind a slot that is never read.  Each measurement reads
# a copy of that slot, made for the plugin in question, so that all get the same WAL.
# Payloads have about 212 octets as text, in jsonb or json.

use strict;
use warnings FATAL => 'all';

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
CREATE PUBLICATION bench FOR TABLE bench.event_json, bench.event_jsonb;
CREATE PROCEDURE bench.load(target regclass, payload_type text, total int, per int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 0 .. total / per - 1 LOOP
		EXECUTE format('INSERT INTO %s (aggregatetype, aggregateid, type, payload)
			SELECT ''order'', ($1 * $2 + j) %% 10000, ''OrderPlaced'', json_build_object(
				''order_id'', $1 * $2 + j, ''customer'', ''Customer name '' || j, ''total'', 123.45, ''currency'', ''EUR'',
				''items'', json_build_array(json_build_object(''sku'', ''SKU-1234'', ''qty'', 2),
					json_build_object(''sku'', ''SKU-9876'', ''qty'', 1)),
				''note'', ''some text that pads the payload a bit'')::text::%s
			FROM generate_series(1, $2) j', target, payload_type) USING i, per;
		COMMIT;
	END LOOP;
END $$;
END
	return bless { node => $node, loads => {} }, $class;
}

# get(NAME, ROWS): single_json, single_jsonb, bulk_json or bulk_jsonb; written at first use.
sub get
{
	my ($self, $name, $rows) = @_;
	my ($shape, $type) = split /_/, $name;
	my $known = $self->{loads}{"$name/$rows"};
	return $known if $known;
	my $node = $self->{node};
	my $slot = "base_${name}_$rows";
	my $per = $shape eq 'single' ? 1 : 1000;
	$node->create_slot($slot);
	$node->safe_psql('postgres', "SET synchronous_commit = off; CALL bench.load('bench.event_$type', '$type', $rows, $per)");
	# a commit that is flushed, and a position behind everything
	$node->safe_psql('postgres', 'CREATE TABLE bench.flush(); DROP TABLE bench.flush; CHECKPOINT');
	my $end = $node->safe_psql('postgres', 'SELECT pg_current_wal_flush_lsn()');
	return $self->{loads}{"$name/$rows"} =
	  { name => $name, slot => $slot, table => "bench.event_$type", rows => int($rows / $per) * $per, end => $end };
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

1;
