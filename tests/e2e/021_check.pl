# 021_check.pl - slot and check, against a real server and a real broker.
#
# Whatever check is asked for, it answers within two seconds.
#
# brief: majors
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use IO::Socket::INET;
use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use PgOutbox::Wait qw(wait_for);
use Test::More;

my $node = PgOutbox::Node->new('main');
$node->init(conf => "max_slot_wal_keep_size = 1GB\n");
$node->start;
my $kafka = PgOutbox::Kafka->shared;
my $prefix = PgOutbox::Kafka::unique_name('check');
my $streamer = PgOutbox::Streamer->new(node => $node, kafka => $kafka, slot => 'outbox',
	config => { outbox => { topic => "$prefix.\${aggregatetype}" } });
$node->safe_psql('postgres', 'CREATE ROLE streamer LOGIN REPLICATION; CREATE ROLE plain LOGIN');
$streamer->configure({ postgres => { dsn => $node->dsn('postgres', user => 'streamer') } });

# check(ARGS): (exit code, stdout), within two seconds
sub check
{
	my ($name, @args) = @_;
	my ($code, $out, $err, $seconds) = $streamer->run('check', @args);
	cmp_ok($seconds, '<', 2, "$name: within two seconds");
	is($err, '', "$name: nothing on stderr");
	my @odd = grep { !/^(?:ok  |warn|FAIL) [a-z-]+ +\S/ && !/^\d+ ok, \d+ warn, \d+ FAIL$/ } split /\n/, $out;
	is("@odd", '', "$name: a line for each finding") if !grep { /--sql/ } @args;
	return ($code, $out);
}

# finds(REGEX, NAME, ARGS): check fails, and says so with a hint
sub finds
{
	my ($regex, $name, @args) = @_;
	my ($code, $out) = check($name, @args);
	is($code, 1, "$name: exit 1");
	like($out, $regex, "$name: found") or diag $out;
	return;
}

# --- the slot's life
my ($code, $out, $err) = $streamer->run('slot', 'show');
is($code, 1, 'no slot yet');
like($err, qr/error\[slot-missing\]: replication slot "outbox" does not exist; hint: create it with/, 'it says so');
($code, $out) = $streamer->run('slot', 'create');
is($code, 0, 'slot create');
like($out, qr{\Aslot outbox created, consistent at [0-9A-F]+/[0-9A-F]+\n\z}, 'where it begins');
is($node->slot_lsn('outbox', 'plugin'), 'outbox_decoder', 'with our plugin');
my $lsn = $node->slot_lsn('outbox');
($code, $out, $err) = $streamer->run('slot', 'create');
is($code, 1, 'a slot is not replaced');
like($err, qr/error\[slot-exists\]: .*; hint: .*--if-not-exists/, 'it says so');
($code, $out) = $streamer->run('slot', 'create', '--if-not-exists');
is($code, 0, 'unless asked for so');
is($node->slot_lsn('outbox'), $lsn, 'it is the same slot');
($code, $out) = $streamer->run('slot', 'show');
is($code, 0, 'slot show');
like($out, qr/^plugin +outbox_decoder$/m, 'plugin');
like($out, qr/^wal_status +reserved$/m, 'state');
like($out, qr/^confirmed_flush_lsn +\Q$lsn\E$/m, 'position');
($code, $out, $err) = $streamer->run('slot', 'drop');
is($code, 1, 'slot drop wants --yes');
like($err, qr/error\[not-confirmed\]: .*; hint: add --yes/, 'it says so');

# --- what is missing before the extension is there
my @dead = ('-o', 'outbox.on_undeliverable=dead-letter');
finds(qr/^FAIL table-missing +.* no table outbox\.dead_letter in this database; hint: CREATE EXTENSION pg_outbox/m, 'nowhere to store dead letters', @dead);
finds(qr/^FAIL table-missing +table outbox\.event does not exist .*; hint: CREATE EXTENSION pg_outbox/m, 'no extension');
$node->install;
finds(qr/^warn extension-rights +"streamer" may read neither .*; hint: SELECT outbox\.grant_stream\('streamer'\);$/m, 'no rights in the extension', '-o', 'postgres.slot=none');
finds(qr/^FAIL permission-denied +"streamer" can't keep dead letters: it lacks .*INSERT on outbox\.dead_letter_writer.*USAGE on schema outbox; hint: SELECT outbox\.grant_stream\('streamer'\);$/m,
	'no rights to store dead letters', @dead);
$node->safe_psql('postgres', "SELECT outbox.grant_stream('streamer')");
$node->safe_psql('postgres', "REVOKE DELETE ON outbox.dead_letter FROM streamer");
finds(qr/^FAIL permission-denied +"streamer" can't keep dead letters: it lacks DELETE on outbox\.dead_letter; hint: /m, 'not all rights', @dead);
$node->safe_psql('postgres', "GRANT DELETE ON outbox.dead_letter TO streamer");
my $writes_messages = $node->safe_psql('postgres', "SELECT oid::regprocedure FROM pg_proc WHERE proname = 'pg_logical_emit_message' AND proargtypes[2] = 'bytea'::regtype");
$node->safe_psql('postgres', "REVOKE EXECUTE ON FUNCTION $writes_messages FROM PUBLIC");
finds(qr/^FAIL permission-denied +outbox\.dead_letter_topic is set, but "streamer" may not write logical messages; hint: GRANT EXECUTE /m,
	'no right to tell of dead letters', @dead, '-o', 'outbox.dead_letter_topic=dead');
$node->safe_psql('postgres', "GRANT EXECUTE ON FUNCTION $writes_messages TO PUBLIC");

# --- all well
$kafka->create_topic("$prefix.order", 2, 'max.message.bytes' => 2000000);
($code, $out) = check('all well');
is($code, 0, 'all well: exit 0') or diag $out;
like($out, qr/^ok   $_ /m, "all well: $_")
  foreach qw(login server-version replication-right wal-level slots-free walsenders-free synchronous-standby slot slot-lag
  plugin extension table kafka topics message-size);
unlike($out, qr/^FAIL|dead_letter/m, 'nothing failed');
($code, $out) = check('dead letters', @dead);
is($code, 0, 'dead letters: exit 0') or diag $out;
like($out, qr/^ok   table +outbox\.dead_letter can be written$/m, 'dead letters: they could be stored');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_replication_slots"), 1, 'no slot is left behind');

$streamer->start;
ok($node->wait_until("SELECT active FROM pg_replication_slots WHERE slot_name = 'outbox'"), 'a streamer runs');
($code, $out) = check('a streamer runs');
is($code, 0, 'a streamer runs: exit 0') or diag $out;
like($out, qr/^ok   slot +"outbox" is in use by process \d+ \(outbox-streamer, /m, 'by whom the slot is used');
($code, $out, $err) = $streamer->run('slot', 'drop', '--yes');
is($code, 1, 'a slot in use is not dropped');
like($err, qr/error\[slot-active\]: .* in use by process \d+ .*; hint: stop the streamer/, 'it says so');
is($streamer->stop, 0, 'stopped');

# --- rights
my $role = sub { return ('-o', 'postgres.dsn=' . $node->dsn('postgres', user => $_[0])) };
finds(qr/^FAIL replication-right +role "plain" lacks REPLICATION; hint: ALTER ROLE plain REPLICATION;$/m, 'no right', $role->('plain'));
(undef, $out) = check('remedies', '--sql', $role->('plain'), '-o', 'postgres.slot=other');
like($out, qr/^ALTER ROLE plain REPLICATION;$/m, 'remedies: the right');
like($out, qr/^SELECT pg_create_logical_replication_slot\('other', 'outbox_decoder'\);$/m, 'remedies: the slot');
is((grep { !/^(?:--.*|)$/ } split /\n/, $out), 3, 'remedies: SQL and comments only');
finds(qr/^FAIL login-refused +.*database "nowhere" does not exist; hint: check dbname/m, 'no such database',
	'-o', 'postgres.dsn=' . $node->dsn('nowhere'));

# --- tables
$node->safe_psql('postgres', <<'END');
CREATE SCHEMA "My Schema";
CREATE DOMAIN kind AS varchar(20);
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE TABLE "My Schema"."Odd.Name" (id bigint, kind kind, colour colour, body bytea, at timestamptz, place point, money money);
CREATE TABLE public.parts (id int, aggregatetype text, aggregateid text, payload json) PARTITION BY LIST (id);
CREATE TABLE public.parts1 PARTITION OF public.parts FOR VALUES IN (1);
CREATE UNLOGGED TABLE public.parts2 PARTITION OF public.parts FOR VALUES IN (2);
CREATE VIEW public.look AS SELECT 1 AS payload;
END
sub table
{
	my ($name, %columns) = @_;
	$name =~ s/"/\\"/g;
	return map { ('-o', "table \"$name\".$_=$columns{$_}") } sort keys %columns;
}
my $odd = 'My Schema."Odd.Name"';
($code, $out) = check('an odd table', table($odd, payload => 'body', aggregatetype => 'kind', type => 'colour', aggregateid => "'x'", key => 'id', timestamp => 'at'));
is($code, 0, 'an odd table: exit 0') or diag $out;
like($out, qr/^ok   table +My Schema\.Odd\.Name has the mapped columns$/m, 'an odd table: found');
like($out, qr/^ok   plugin /m, 'an odd table: the plugin takes it');
finds(qr/^FAIL missing-column +table My Schema\.Odd\.Name has no column "payload"/m, 'no payload column', table($odd, type => 'colour'));
finds(qr/^FAIL missing-column +table .* has no column "Body" \(payload\)/m, 'a misspelt column', table($odd, payload => 'Body'));
finds(qr/^FAIL column-type +column "place" of .* is of type point, which can't be used for key/m, 'a type that cannot be used', table($odd, payload => 'body', key => 'place'));
finds(qr/^FAIL column-type +column "body" of .* is of type bytea, which can't be used for headers/m, 'bytea elsewhere', table($odd, payload => 'body', headers => 'body'));
finds(qr/^FAIL column-type +.*for timestamp; hint: timestamptz/m, 'a time that is none', table($odd, payload => 'body', timestamp => 'kind'));
finds(qr/^FAIL table-missing +table public\.Parts does not exist/m, 'another case', table('public.Parts', type => "'x'"));
finds(qr/^FAIL table-unlogged +public\.parts2 is UNLOGGED.*; hint: ALTER TABLE public\.parts2 SET LOGGED;$/m, 'an unlogged partition', table('public.parts', type => "'x'"));
finds(qr/^FAIL table-kind +public\.look /m, 'a view', table('public.look', type => "'x'"));

# --- settings
sub setting
{
	my ($sql) = @_;
	$node->safe_psql('postgres', $_) foreach split /;\s*/, $sql;
	my $loaded = $node->safe_psql('postgres', 'SELECT pg_conf_load_time()');
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
	$node->wait_until("SELECT pg_conf_load_time() > '$loaded'") or die 'no reload';
	return;
}
setting("ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (a, \"outbox-streamer\")'; ALTER SYSTEM SET synchronous_commit = local");
finds(qr/^FAIL synchronous-standby +synchronous_standby_names = .* commits would wait for it; hint: /m, 'taken for a synchronous standby');
setting("ALTER SYSTEM SET synchronous_standby_names = '*'");
finds(qr/^FAIL synchronous-standby/m, 'as any standby');
setting('ALTER SYSTEM RESET synchronous_standby_names; ALTER SYSTEM RESET synchronous_commit');
(undef, $out) = check('a long interval', '-o', 'postgres.status_interval=9s');
like($out, qr/^warn walsender-timeout +wal_sender_timeout is 10000 ms, postgres\.status_interval 9000 ms/m, 'a long interval: found');
SKIP:
{
	skip 'this minor release lets any output plugin in', 10 if !$node->knows_plugin_list;
	setting("ALTER SYSTEM SET output_plugin_libraries = pgoutput, test_decoding");
	finds(qr/^FAIL plugin-not-allowed +.*; hint: .*output_plugin_libraries = pgoutput, test_decoding, outbox_decoder/m, 'the plugin is not allowed');
	setting("ALTER SYSTEM SET output_plugin_libraries = 'pgoutput, test_decoding, outbox_decoder'");
	finds(qr/^FAIL plugin-not-allowed +output_plugin_libraries = "pgoutput, test_decoding, outbox_decoder" is one quoted name, not a list/m,
		'a list that is one name', '-o', 'postgres.dsn=' . $node->dsn('postgres'));
	setting('ALTER SYSTEM RESET output_plugin_libraries');
}

# --- long transactions: slots can't be made while they run, and check doesn't wait
my $long = $node->background_psql('postgres');
$long->query_safe('BEGIN; SELECT pg_current_xact_id()') if $long->can('query_safe');
SKIP:
{
	skip 'background_psql() of this PostgreSQL has no query_safe()', 3 if !$long->can('query_safe');
	($code, $out) = check('a long transaction');
	like($out, qr/^warn plugin +could not be tried/m, 'a long transaction: the plugin is not tried');
	$long->query_safe('ROLLBACK');
}
$long->quit if $long->can('quit');

# --- the broker
$kafka->create_topic("$prefix.small", 1, 'max.message.bytes' => 1000);
finds(qr/^FAIL message-size +topic $prefix\.small takes messages up to 1000 octets, the streamer sends up to 1000000; hint: /m, 'a small topic');
$kafka->delete_topic("$prefix.small");
$kafka->create_topic("$prefix.sure", 1, 'min.insync.replicas' => 2);
finds(qr/^FAIL topic-replicas +topic $prefix\.sure has 1 replicas, but min\.insync\.replicas = 2/m, 'more replicas wanted than there are');
$kafka->delete_topic("$prefix.sure");
finds(qr/^FAIL topic-unknown +topic $prefix-none does not exist, and the brokers don't create topics/m, 'a fixed topic that is missing', '-o', "outbox.topic=$prefix-none");
finds(qr/^FAIL topic-unknown +topic fixed-none does not exist/m, "a table's topic that is missing", table('outbox.event', topic => "'fixed-none'"));
finds(qr/^FAIL message-size +outbox\.max_payload is 2097152, but kafka\.message\.max\.bytes 1000000/m, 'a payload larger than a message', '-o', 'outbox.max_payload=2MB');
(undef, $out) = check('a table that takes more', '-o', 'kafka.message.max.bytes=100000');
like($out, qr/^warn message-size +the table takes events up to 1000000 octets, the streamer up to 100000/m, 'a table that takes more: found');

# nobody listens; somebody listens and says nothing; both at once
my $closed = PgOutbox::Kafka::free_port();
my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 5) or die $!;
my $mute = $silent->sockport;
finds(qr/^FAIL kafka-unreachable +no answer from 127\.0\.0\.1:$closed: .*refused.*; hint: check kafka\.bootstrap\.servers/m, 'no broker', '-o', "kafka.bootstrap.servers=127.0.0.1:$closed");
finds(qr/^FAIL kafka-unreachable +no answer from 127\.0\.0\.1:$mute/m, 'a silent broker', '-o', "kafka.bootstrap.servers=127.0.0.1:$mute");
finds(qr/^FAIL postgres-unreachable .*127\.0\.0\.1.*\nFAIL kafka-unreachable/m, 'both silent', '-o', "kafka.bootstrap.servers=127.0.0.1:$mute",
	'-o', "postgres.dsn=host=127.0.0.1 port=$mute dbname=x");
finds(qr/^FAIL kafka-property +no Kafka producer can be made: ssl\.ca\.location.*; hint: .*files/m, 'no such file of CAs',
	'-o', 'kafka.security.protocol=ssl', '-o', 'kafka.ssl.ca.location=/nonexistent');
finds(qr/^FAIL kafka-refused|^FAIL kafka-unreachable/m, 'TLS to a broker without', '-o', 'kafka.security.protocol=ssl');

# --- several hosts, the first of them dead
my $hosts = 'postgres.dsn=host=127.0.0.1,127.0.0.1 port=' . "$closed," . $node->port . ' dbname=postgres user=streamer';
($code, $out) = check('several hosts', '-o', $hosts);
is($code, 0, 'several hosts: exit 0') or diag $out;

# --- exactly-once
my $system = $node->safe_psql('postgres', 'SELECT system_identifier FROM pg_control_system()');
my @once = ('-o', 'outbox.delivery=exactly-once');
my $progress = "outbox.progress.$system.outbox";
($code, $out) = check('exactly-once', @once);
is($code, 0, 'exactly-once: exit 0') or diag $out;
like($out, qr/^ok   progress-topic +topic \Q$progress\E does not exist yet; the streamer will create it$/m, 'exactly-once: the topic of its progress');
finds(qr/^FAIL kafka-init +kafka\.transaction\.timeout\.ms is 2000000, but the brokers' transaction\.max\.timeout\.ms 900000/m,
	'a transaction longer than the brokers allow', @once, '-o', 'kafka.transaction.timeout.ms=2000000');
$kafka->create_topic($progress, 1, 'cleanup.policy' => 'delete');
finds(qr/^FAIL progress-topic +topic \Q$progress\E has cleanup\.policy = delete/m, 'progress that would expire', @once);
$kafka->alter_topic($progress, 'cleanup.policy' => 'compact');
(undef, $out) = check('a progress topic as it should be', @once);
like($out, qr/^ok   progress-topic +topic \Q$progress\E$/m, 'a progress topic as it should be: found');
$kafka->delete_topic($progress);

# --- look-alikes of operators and functions in the role's search_path are not called
$node->safe_psql('postgres', <<'SQL');
CREATE SCHEMA evil;
GRANT USAGE ON SCHEMA evil TO streamer;
DO $do$
DECLARE
	o record;
BEGIN
	FOR o IN
		SELECT p.oprname AS name, p.oprleft::regtype AS l, p.oprright::regtype AS r, p.oprresult::regtype AS result
		FROM pg_operator p JOIN pg_type tl ON tl.oid = p.oprleft JOIN pg_type tr ON tr.oid = p.oprright
		WHERE p.oprname IN ('=', '<>', '>', '>=', '<', '<=', '||', '->>', '-') AND tl.typtype <> 'p' AND tr.typtype <> 'p'
	LOOP
		EXECUTE format('CREATE FUNCTION evil.%I(%s, %s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION ''look-alike''; END $f$',
			'f' || o.name, o.l, o.r, o.result);
		EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil.%I)', o.name, o.l, o.r, 'f' || o.name);
	END LOOP;
END
$do$;
CREATE FUNCTION evil.current_database() RETURNS name LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION 'look-alike'; END $f$;
CREATE FUNCTION evil.pg_is_in_recovery() RETURNS bool LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION 'look-alike'; END $f$;
ALTER ROLE streamer SET search_path = evil, pg_catalog;
SQL
foreach my $command ([ 'slot', 'show' ], ['check'], [ 'deadletter', 'list' ], [ 'stream', '--no-loop', '--endpos=' . $node->slot_lsn('outbox') ])
{
	($code, $out, $err) = $streamer->run(@$command);
	is($code, 0, "@$command: among look-alikes as well") or diag($out, $err);
	unlike("$out$err", qr/look-alike/, "@$command: none is called");
}
$node->safe_psql('postgres', 'ALTER ROLE streamer RESET search_path; DROP SCHEMA evil CASCADE');

# --- the end of the slot
($code, $out) = $streamer->run('slot', 'drop', '--yes');
is($code, 0, 'slot drop --yes');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots'), 0, 'it is gone');
($code) = $streamer->run('slot', 'drop', '--yes');
is($code, 1, 'a missing slot is an error');
($code) = $streamer->run('slot', 'drop', '--yes', '--if-exists');
is($code, 0, 'unless asked for so');

done_testing();
