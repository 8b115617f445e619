# 022_refusals.pl - what must stop check and stream: one line with a hint, the
# right exit status, within two seconds.
#
# runs alone
# brief: majors
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Streamer;
use Test::More;

my $node = PgOutbox::Node->new('main');
$node->init(extra => ['--wal-segsize=1'], conf => <<'END');
min_wal_size = 4MB
max_wal_size = 64MB
password_encryption = scram-sha-256
END
# before the lines that trust everybody
my $hba = $node->data_dir . '/pg_hba.conf';
open my $in, '<', $hba or die "$hba: $!";
my $lines = do { local $/; <$in> };
close $in;
open my $out, '>', $hba or die "$hba: $!";
print $out "host all careful 127.0.0.1/32 scram-sha-256\nhost all nobody 127.0.0.1/32 reject\n$lines";
close $out;
$node->start;
$node->install;
$node->safe_psql('postgres', <<'END');
CREATE ROLE careful LOGIN REPLICATION PASSWORD 'right';
CREATE ROLE nobody LOGIN REPLICATION;
CREATE ROLE plain LOGIN;
CREATE DATABASE other;
END
$node->create_slot($_) foreach qw(outbox lost);
$node->safe_psql('postgres', "SELECT pg_create_logical_replication_slot('foreign_slot', 'pgoutput')");
$node->safe_psql('postgres', "SELECT pg_create_physical_replication_slot('physical')");
my $kafka = PgOutbox::Kafka->shared;
my $prefix = PgOutbox::Kafka::unique_name('refused');
my $streamer = PgOutbox::Streamer->new(node => $node, kafka => $kafka, slot => 'outbox',
	config => { outbox => { topic => $prefix } });
$kafka->create_topic($prefix, 1);

# refused(NAME, CODE, STATUS of stream, REGEX, ARGS): by check and by stream
sub refused
{
	my ($name, $code, $status, $regex, @args) = @_;
	subtest "$name: stream" => sub {
		my ($exit, $stdout, $stderr, $seconds) = $streamer->run('stream', @args);
		my @errors = grep { /^outbox-streamer: error/ } split /\n/, $stderr;
		is($exit, $status, "exit $status");
		cmp_ok($seconds, '<', 2, 'within two seconds');
		is(scalar @errors, 1, 'one line says why') or diag $stderr;
		like($errors[0] // '', qr/\Aoutbox-streamer: error\[$code\]: .*$regex.*; hint: \S/, 'with reason and hint');
	};
	subtest "$name: check" => sub {
		my ($exit, $stdout, $stderr, $seconds) = $streamer->run('check', @args);
		is($exit, 1, 'exit 1');
		cmp_ok($seconds, '<', 2, 'within two seconds');
		like("$stdout$stderr", qr/^(?:FAIL $code +|outbox-streamer: error\[$code\]: ).*$regex.*; hint: \S/m, 'with reason and hint')
		  or diag "$stdout$stderr";
	};
	return;
}
my $dsn = sub { return ('-o', 'postgres.dsn=' . $node->dsn(@_)) };

refused('bad configuration', 'config-unknown', 1, qr/-o: there is no key "max_inflight"/, '-o', 'outbox.max_inflight=5');
refused('bad DSN', 'dsn-invalid', 1, qr/missing "="/, '-o', 'postgres.dsn=nonsense');
refused('bad port', 'dsn-invalid', 1, qr/"xyz"/, '-o', 'postgres.dsn=host=127.0.0.1 port=xyz');
refused('wrong password', 'login-refused', 1, qr/password authentication failed for user "careful"/, $dsn->('postgres', user => 'careful', password => 'wrong'));
refused('no password', 'login-refused', 1, qr/no password supplied/, $dsn->('postgres', user => 'careful'));
refused('rejected by pg_hba.conf', 'login-refused', 1, qr/pg_hba\.conf rejects/, $dsn->('postgres', user => 'nobody'));
refused('no such role', 'login-refused', 1, qr/role "who" does not exist/, $dsn->('postgres', user => 'who'));
refused('no such database', 'login-refused', 1, qr/database "nowhere" does not exist/, $dsn->('nowhere'));
{
	# the word differs between versions; the code and the status don't
	my ($exit, undef, $stderr, $seconds) = $streamer->run('stream', $dsn->('postgres', user => 'plain'));
	is($exit, 1, 'a role without REPLICATION: exit 1');
	like($stderr, qr/error\[login-refused\]: .*; hint: ALTER ROLE/, 'a role without REPLICATION: reason and hint');
	cmp_ok($seconds, '<', 2, 'a role without REPLICATION: within two seconds');
}

refused('missing slot', 'slot-missing', 1, qr/"none" does not exist/, '-o', 'postgres.slot=none');
refused('slot of another plugin', 'slot-plugin', 1, qr/"foreign_slot" .*outbox_decoder/, '-o', 'postgres.slot=foreign_slot');
refused('physical slot', 'slot-plugin', 1, qr/"physical" .*outbox_decoder/, '-o', 'postgres.slot=physical');
refused('slot of another database', 'slot-database', 1, qr/"outbox" belongs to /, $dsn->('other'));

# --- a slot that has lost its WAL
$node->safe_psql('postgres', 'ALTER SYSTEM SET max_slot_wal_keep_size = 1');
$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
$node->wait_until("SELECT setting = '1' FROM pg_settings WHERE name = 'max_slot_wal_keep_size'") or die 'no reload';
my $lost = 0;
foreach my $try (1 .. 30)
{
	$node->safe_psql('postgres', $_) foreach "SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000))", 'SELECT pg_switch_wal()', 'CHECKPOINT';
	$lost = $node->slot_lsn('lost', 'wal_status') eq 'lost' and last;
}
ok($lost, 'a slot is lost');
refused('lost slot', 'slot-lost', 2, qr/"lost" is lost/, '-o', 'postgres.slot=lost');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET max_slot_wal_keep_size');
$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
$node->safe_psql('postgres', "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE wal_status = 'lost'");
$node->create_slot('fresh');

# --- the plugin
SKIP:
{
	skip 'this minor release lets any output plugin in', 2 if !$node->knows_plugin_list;
	$node->safe_psql('postgres', 'ALTER SYSTEM SET output_plugin_libraries = pgoutput, test_decoding');
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
	$node->wait_until("SELECT setting !~ 'outbox' FROM pg_settings WHERE name = 'output_plugin_libraries'") or die 'no reload';
	refused('plugin not allowed', 'plugin-not-allowed', 1, qr/output_plugin_libraries|outbox_decoder/, '-o', 'postgres.slot=fresh');
	$node->safe_psql('postgres', 'ALTER SYSTEM RESET output_plugin_libraries');
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
	$node->wait_until("SELECT setting ~ 'outbox' FROM pg_settings WHERE name = 'output_plugin_libraries'") or die 'no reload';
}

# --- the topic
$node->safe_psql('postgres', "SELECT outbox.emit('order', '1', 'created', '{}')");
refused('missing topic', 'topic-unknown', 3, qr/$prefix-none/, '-o', "outbox.topic=$prefix-none", '-o', 'postgres.slot=fresh');
is($kafka->topics->{"$prefix-none"}, undef, 'nobody has created it');

done_testing();
