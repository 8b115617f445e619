# 061_visible_standby.pl - decoding on a standby neither waits for ever nor runs ahead.
#
# What a standby decodes it has replayed, so the row is there; the set of running
# transactions that the plugin asks elsewhere means something else there.
#
# brief: majors
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Proc;
use PgOutbox::Wait qw(wait_for);
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'standbys decode from PostgreSQL 16 on' if PgOutbox::Env::major() < 16;

my $primary = PgOutbox::Node->new('primary');
$primary->init(conf => "max_prepared_transactions = 5\n");
$primary->start;
$primary->safe_psql('postgres', <<'END');
CREATE SCHEMA outbox;
CREATE TABLE outbox.event (id int, payload text);
SELECT pg_create_physical_replication_slot('standby');
END
$primary->backup('base');

my $standby = PgOutbox::Node->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "primary_slot_name = 'standby'\nhot_standby_feedback = on\n");
$standby->start;
$primary->wait_until("SELECT xmin IS NOT NULL FROM pg_replication_slots WHERE slot_name = 'standby'")
  or die 'no feedback';

# making a slot waits for the primary to log what runs
my $creator = PgOutbox::Proc->start(
	name => 'creator',
	cmd => [ PgOutbox::Env::pgbin() . '/psql', '-X', '-d', $standby->connstr('postgres'),
		'-c', "SELECT pg_create_logical_replication_slot('outbox', 'outbox_decoder')" ]);
ok( wait_for(
		sub {
			$primary->safe_psql('postgres', 'SELECT pg_log_standby_snapshot()');
			return !$creator->alive;
		}, 30, step => 0.2),
	'a slot on the standby');
is($creator->exit_code, 0, 'was made');

my $read = <<'END';
SET statement_timeout = '20s';
SELECT string_agg(substring(convert_from(data, 'UTF8') FROM '"id":"(\d+)"'), ',')
FROM pg_logical_slot_get_binary_changes('outbox', NULL, NULL)
END

# a transaction stays open all the time, so that the horizon is an old one
my $open = PgOutbox::Proc->start(
	name => 'open',
	cmd => [ PgOutbox::Env::pgbin() . '/psql', '-X', '-d', $primary->connstr('postgres'),
		'-c', "BEGIN; INSERT INTO outbox.event VALUES (0, 'open'); SELECT pg_sleep(600)" ]);
$primary->wait_until("SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()")
  or die 'no open transaction';
$primary->safe_psql('postgres', <<'END');
INSERT INTO outbox.event VALUES (1, 'x');
BEGIN;
SAVEPOINT a;
INSERT INTO outbox.event VALUES (2, 'x');
COMMIT;
BEGIN;
INSERT INTO outbox.event VALUES (3, 'x');
PREPARE TRANSACTION 'p';
COMMIT PREPARED 'p';
END
$primary->wait_for_catchup($standby, 'replay');
is($standby->safe_psql('postgres', $read), '1,2,3', 'events on the standby');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM outbox.event'), 3, 'and their rows');

# a standby that became a primary decodes what it has, and what it writes
$primary->safe_psql('postgres', "INSERT INTO outbox.event VALUES (4, 'x')");
$primary->wait_for_catchup($standby, 'replay');
$open->stop;
$primary->stop;
$standby->promote;
$standby->safe_psql('postgres', "INSERT INTO outbox.event VALUES (5, 'x')");
is($standby->safe_psql('postgres', $read), '4,5', 'events after promotion');

$standby->stop;
done_testing();
