# 600_inbox.pl - inbox-consumer: each message once, with all of its fields, and what fails.
#
# brief: majors
# brief: sanitize
#
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use PgOutbox::Kafka;
use PgOutbox::Http;
use PgOutbox::Inbox;
use PgOutbox::Wait qw(wait_for);
use Test::More;

my $node = PgOutbox::Node->ready('main');
my $kafka = PgOutbox::Kafka->shared;

sub sql { return $node->safe_psql('postgres', $_[0]); }
sub topic { return $kafka->create_topic(PgOutbox::Kafka::unique_name($_[0]), $_[1] // 1); }
sub inbox { return PgOutbox::Inbox->new(node => $node, kafka => $kafka, @_); }

sql(<<'SQL');
CREATE SCHEMA app;
CREATE TABLE app.seen (n bigserial, key text, value text, CHECK (value <> 'poison'));
CREATE TABLE app.parent (id text PRIMARY KEY);
CREATE TABLE app.child (id text REFERENCES app.parent DEFERRABLE INITIALLY DEFERRED);
SQL
my $seen = 'INSERT INTO app.seen (key, value) VALUES (:key, :payload)';

# messages of one partition: [KEY, VALUE, ID], ...
sub messages { return map { { key => $_->[0], value => $_->[1], partition => 0, headers => { $_->[2] ? (id => $_->[2]) : () } } } @_; }
sub seen { return sql("SELECT string_agg(key || '=' || value, ' ' ORDER BY n) FROM app.seen"); }

# ---- messages as rows: everything that a message has
{
	my $topic = topic('rows');
	my $inbox = inbox(topics => $topic);
	my ($code, $out) = $inbox->run('check');
	is($code, 0, 'check finds nothing wrong') or diag($out);
	like($out, qr/^ok\s+topic\s+topic "\Q$topic\E": 1 partitions$/m, 'and the topic');

	my $octets = join '', map { chr } 0 .. 255;
	$kafka->produce($topic,
		{ key => 'k', value => '{"a": 1.00}', headers => [ [ id => 'm1' ], [ eventType => 'Placed' ], [ x => 'ü"\\' ], [ y => undef ], [ z => 'a' ], [ z => 'b' ] ] },
		{ key => undef, value => undef },
		{ key => $octets, value => $octets, headers => [ [ id => "\xff" ], [ x => "a\0b" ] ] });
	$inbox->start;
	ok($inbox->wait_handled(3), 'three messages are handled');
	is(sql("SELECT message_id, type, convert_from(key, 'UTF8'), convert_from(payload, 'UTF8'), headers FROM outbox.inbox_message WHERE message_offset = 0"),
		'm1|Placed|k|{"a": 1.00}|{"x": "ü\"\\\\", "y": null, "z": ["a", "b"], "id": "m1", "eventType": "Placed"}', 'with all fields');
	is(sql('SELECT message_id IS NULL, key IS NULL, payload IS NULL, headers, message_time > now() - interval \'1 hour\' FROM outbox.inbox_message WHERE message_offset = 1'),
		't|t|t|{}|t', 'what is NULL is NULL');
	is(sql("SELECT message_id, encode(key, 'hex') = '@{[unpack 'H*', $octets]}', key = payload, headers FROM outbox.inbox_message WHERE message_offset = 2"),
		'\xff|t|t|{"x": {"hex": "610062"}, "id": {"hex": "ff"}}', 'any octets are stored as they are');
	is($inbox->ids, 2, 'ids are recorded');
	is($inbox->stop, 0, 'asked to stop');
	$inbox->start;
	$inbox->wait_for_log(qr/consuming 1 partitions/, 30);
	$inbox->configure({ log => { format => 'json' } });
	$inbox->signal('HUP');
	ok($inbox->wait_for_log(qr/^\{.*"configuration read again/m, 10), 'SIGHUP reads [log] again');
	$inbox->configure({ log => { format => 'nonsense' } });
	$inbox->signal('HUP');
	ok($inbox->wait_for_log(qr/config-value/, 10), 'what is wrong is said, and changes nothing');
	$inbox->configure({ log => { format => undef } });
	is($inbox->stop, 0, 'asked to stop');
	my (undef, $status) = $inbox->run('status');
	like($status, qr/^topic=\Q$topic\E partition=0 next_offset=3 epoch=2 advanced=20.*\ndead_letters=0 queued=0 oldest=$/m, 'status says so');
	sql("CREATE SCHEMA evil;
		CREATE FUNCTION evil.same(text, text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RAISE ''look-alike''; END';
		CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.same)");
	is(($inbox->run('status', '-o', 'postgres.dsn=' . $node->dsn . " options='-c search_path=evil,pg_catalog'"))[1], $status,
		'with look-alikes in the search_path as well');

	# a restart goes on; what comes again is not handled again
	$kafka->produce($topic, messages([ 'k', 'again', 'm1' ], [ 'k', 'new', 'm2' ], [ 'k', 'twice', 'm2' ]));
	$inbox->start;
	ok($inbox->wait_handled(6), 'after a restart it goes on');
	is(sql("SELECT string_agg(convert_from(payload, 'UTF8'), ' ') FROM outbox.inbox_message WHERE message_offset > 2"), 'new',
		'ids that were there are passed over, before and within a batch');
	$inbox->kill9;
}

# ---- offsets are the database's, whatever Kafka says
{
	my $topic = topic('offsets');
	my $inbox = inbox(topics => $topic, config => { inbox => { sql => $seen } });
	$kafka->produce($topic, messages(map { [ 'k', $_ ] } 1 .. 3));
	$inbox->start;
	ok($inbox->wait_handled(3), 'messages without an id');
	is($inbox->stop, 0, 'stopped');
	sql("UPDATE outbox.inbox_offset SET next_offset = 2 WHERE consumer = '" . $inbox->consumer . "'");
	$inbox->start;
	ok(wait_for(sub { seen() eq 'k=1 k=2 k=3 k=3' }, 30), 'it goes on where the database says') or diag(seen());
	is($inbox->stop, 0, 'stopped');

	# what was deleted is not passed over
	sql("UPDATE outbox.inbox_offset SET next_offset = 99 WHERE consumer = '" . $inbox->consumer . "'");
	$inbox->start;
	is($inbox->wait_exit(30), 2, 'an offset that is not there ends it');
	like($inbox->log_text, qr/error\[offset-lost\]: topic "\Q$topic\E" partition 0/, 'and it says so');
	sql('TRUNCATE app.seen');
}

# ---- policy stop
{
	my $topic = topic('stop');
	my $inbox = inbox(topics => $topic, config => { inbox => { sql => $seen } });
	$kafka->produce($topic, messages([ 'a', 1, 's1' ], [ 'a', 2, 's2' ], [ 'a', 'poison', 's3' ], [ 'a', 4, 's4' ]));
	$inbox->start;
	is($inbox->wait_exit(30), 3, 'a message whose SQL fails ends it with status 3');
	like($inbox->log_text, qr/error\[sql-failed\]: topic "\Q$topic\E" partition 0 offset 2, id s3: SQLSTATE 23514: .*seen_value_check/, 'which names it');
	is(seen(), 'a=1 a=2', 'what stands before it is applied');
	is($inbox->handled, 2, 'and counted');
	$inbox->start;
	is($inbox->wait_exit(30), 3, 'it stays so');
	is(seen(), 'a=1 a=2', 'with nothing repeated');
	$inbox->configure({ inbox => { sql => "INSERT INTO app.seen (key, value) VALUES (:key, replace(:payload, 'poison', 'antidote'))" } });
	$inbox->start;
	ok($inbox->wait_handled(4), 'until it is mended');
	is(seen(), 'a=1 a=2 a=antidote a=4', 'then it goes on, in order');
	$inbox->kill9;
	sql('TRUNCATE app.seen');
}

# ---- policy dead-letter
{
	my $topic = topic('dead');
	my $inbox = inbox(topics => $topic, config => { inbox => { sql => $seen, policy => 'dead-letter', attempts => 3 } });
	my $long = 'd5' . 'x' x 57 . "\xc3\xbc" x 5;    # errors cut it after 60 octets: within a character
	$kafka->produce($topic,
		messages([ 'a', 1, 'd1' ], [ 'b', 'poison', 'd2' ], [ 'a', 3, 'd3' ], [ 'b', 4, 'd4' ], [ undef, 'poison', $long ], [ undef, 6, 'd6' ],
			[ 'c', "no\xfftext", 'd7' ], [ 'd', "nor\0this", 'd8' ], [ 'e', 9, 'd9' ]));
	$inbox->start;
	ok($inbox->wait_handled(9), 'a poison message stops nobody');
	is(sql("SELECT string_agg(coalesce(key, '-') || '=' || value, ' ' ORDER BY n) FROM app.seen"), 'a=1 a=3 -=6 e=9', 'other keys go on, in order');
	my $letters = "SELECT string_agg(concat_ws(',', message_id, state, sqlstate, attempts), ' ' ORDER BY message_offset) FROM outbox.inbox_dead_letter WHERE topic = '$topic'";
	my $kept = "d2,failed,23514,3 d4,queued,0 $long,failed,23514,3 d7,failed,22021,3 d8,failed,22021,3";
	ok(wait_for(sub { sql($letters) eq $kept }, 20), 'the failed ones are kept, and what follows one of them with its key') or diag(sql($letters));
	like(sql("SELECT reason FROM outbox.inbox_dead_letter WHERE topic = '$topic' AND message_id = 'd2'"), qr/violates check constraint "seen_value_check"/, 'with the reason');
	like(sql("SELECT reason FROM outbox.inbox_dead_letter WHERE topic = '$topic' AND message_id = '$long'"), qr/ id d5x{57}\?: SQLSTATE 23514: /, 'which is UTF-8, whatever is cut in it');
	is($inbox->ids, 9, 'their ids are recorded');

	# later ones of the key queue behind it, after a restart, too
	is($inbox->stop, 0, 'stopped');
	$kafka->produce($topic, messages([ 'b', 10, 'd10' ], [ 'b', 4, 'd4' ], [ 'a', 11, 'd11' ]));
	$inbox->start;
	ok($inbox->wait_handled(12), 'it goes on');
	is(sql($letters . q{ AND message_offset > 8}), 'd10,queued,0', 'later messages of the key wait, repeated ones do not come again');
	is(sql("SELECT count(*) FROM app.seen WHERE key = 'b'"), 0, 'none of the key overtakes');
	$inbox->kill9;
	sql('TRUNCATE app.seen');
}

# ---- what is run apart has the fields that it had
{
	my $topic = topic('apart');
	my $fields = ':id, :type, :key, :key_bytes, :payload, :payload_bytes, :headers::jsonb, :position, :topic, :partition::int, :offset::bigint, :time::timestamptz, :consumer';
	sql("CREATE TABLE app.field (id text, type text, key text, key_bytes bytea, payload text, payload_bytes bytea, headers jsonb, position text, topic text, partition int, off bigint, time timestamptz, consumer text);
		CREATE SEQUENCE app.attempt;
		CREATE FUNCTION app.twice(id text) RETURNS text LANGUAGE plpgsql AS 'BEGIN IF id LIKE ''t%'' AND nextval(''app.attempt'') < 4 THEN RAISE ''not yet''; END IF; RETURN id; END'");
	my $inbox = inbox(topics => $topic, config => { inbox => { policy => 'dead-letter', attempts => 9, sql => "INSERT INTO app.field SELECT app.twice(f.id), f.type, f.key, f.key_bytes, f.payload, f.payload_bytes, f.headers, f.position, f.topic, f.partition, f.off, f.time, f.consumer FROM (VALUES ($fields)) AS f (id, type, key, key_bytes, payload, payload_bytes, headers, position, topic, partition, off, time, consumer)" } });
	my @message = (key => "k\xc3\xbc", value => '{"a": "\\"}', headers => [ [ id => 't1' ], [ eventType => 'T' ], [ x => 'a' ], [ x => undef ], [ y => "\xff" ], [ 'outbox.position' => 'p' ] ]);
	$kafka->produce($topic, { @message }, { @message, headers => [ [ id => 'n' ], @{ $message[5] }[ 1 .. 5 ] ] });
	$inbox->start;
	ok(wait_for(sub { sql("SELECT count(*) FROM app.field WHERE topic = '$topic'") == 2 }, 30), 'what fails three times is applied at the fourth, and what waits behind it');
	is(sql("SELECT count(*) FROM (SELECT DISTINCT type, key, key_bytes, payload, payload_bytes, headers - 'id', position, topic, partition, date_trunc('second', time) - date_trunc('second', time), consumer FROM app.field WHERE topic = '$topic') AS x"), 1, 'with the fields that they had');
	is(sql("SELECT string_agg(id || off || (time > now() - interval '1 hour'), ' ' ORDER BY off) FROM app.field WHERE topic = '$topic'"), 't10true n1true', 'of its own');
	is(sql("SELECT count(*) FROM outbox.inbox_dead_letter WHERE topic = '$topic'"), 0, 'and nothing is left behind');
	is($inbox->stop, 0, 'asked to stop');
}

# ---- constraints that are checked at the end of a transaction
{
	my $topic = topic('deferred');
	my $inbox = inbox(topics => $topic, config => { inbox => { sql => 'INSERT INTO app.child VALUES (:key)', policy => 'dead-letter' } });
	sql("INSERT INTO app.parent VALUES ('there')");
	$kafka->produce($topic, messages([ 'there', 1, 'f1' ], [ 'missing', 2, 'f2' ], [ 'there', 3, 'f3' ]));
	$inbox->start;
	ok($inbox->wait_handled(3), 'a failure at COMMIT stops nobody');
	is(sql('SELECT count(*) FROM app.child'), 2, 'the others are applied');
	ok(wait_for(sub { sql("SELECT string_agg(message_id || sqlstate || state, ' ') FROM outbox.inbox_dead_letter WHERE topic = '$topic'") eq 'f223503failed' }, 20), 'and it is found');
	$inbox->kill9;
}

# ---- what mends itself is waited for: a lock, a server that is gone
{
	my $topic = topic('waits');
	my $inbox = inbox(topics => $topic, config => { inbox => { sql => "SELECT set_config('lock_timeout', '100ms', true), app.add(:key, :payload)" } });
	sql("CREATE FUNCTION app.add(text, text) RETURNS void BEGIN ATOMIC INSERT INTO app.seen (key, value) VALUES (\$1, \$2); END");
	my $locker = $node->background_psql('postgres', on_error_stop => 0);
	$locker->query_safe('BEGIN; LOCK TABLE app.seen IN EXCLUSIVE MODE');
	$kafka->produce($topic, messages([ 'w', 1, 'w1' ], [ 'w', 2, 'w2' ]));
	$inbox->start;
	ok($node->wait_until("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'inbox-consumer'", 30), 'it waits for a lock');
	ok(wait_for(sub { $inbox->query("SELECT xact_rollback FROM pg_stat_database WHERE datname = 'postgres'") > 3 }, 30), 'and tries again');
	is($inbox->handled, 0, 'nothing is counted meanwhile');
	$locker->query_safe('ROLLBACK');
	$locker->quit;
	ok($inbox->wait_handled(2), 'then goes on');
	is(seen(), 'w=1 w=2', 'with each message once');

	$node->stop('immediate');
	ok($inbox->wait_for_log(qr/warning\[[a-z-]+\]: .*/, 20), 'the server is gone');
	$kafka->produce($topic, messages([ 'w', 3, 'w3' ]));
	$node->start;
	ok($inbox->wait_handled(3), 'when it is back, it goes on');
	is(seen(), 'w=1 w=2 w=3', 'with each message once');
	is(sql("SELECT epoch FROM outbox.inbox_offset WHERE topic = '$topic'"), 2, 'it has taken the partition anew');
	is($inbox->stop, 0, 'asked to stop');
}

# ---- what the consumer's own statements meet: a limit of the role
{
	my $topic = topic('own');
	sql("CREATE FUNCTION app.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(3600); RETURN NULL; END';
		CREATE TABLE app.ended (key text, value text);
		CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON app.ended DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.value = 'slow') EXECUTE FUNCTION app.slow()");
	my $inbox = inbox(topics => $topic, config => {
		postgres => { dsn => $node->dsn . " options='-c statement_timeout=500ms'" },
		inbox => { policy => 'dead-letter', attempts => 2, sql => 'INSERT INTO app.ended VALUES (:key, :payload)' } });
	$kafka->produce($topic, messages([ 'o', 1, 'o1' ]));
	$inbox->start;
	ok($inbox->wait_handled(1), 'under a statement_timeout it consumes');
	my $locker = $node->background_psql('postgres');
	$locker->query_safe('BEGIN; LOCK TABLE outbox.inbox_offset, outbox.inbox_dead_letter IN EXCLUSIVE MODE');
	$kafka->produce($topic, messages([ 'o', 2, 'o2' ]));
	$node->safe_psql('postgres', 'NOTIFY outbox_inbox');
	foreach my $name ('inbox-consumer', 'inbox-consumer apart')
	{
		ok($node->wait_until("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = '$name'", 30), "$name waits for a lock");
		ok($node->wait_until("SELECT count(*) FILTER (WHERE state = 'idle') > 0 FROM pg_stat_activity WHERE application_name = '$name'", 30), 'and not for ever');
	}
	ok($inbox->wait_for_log(qr/warning\[[a-z-]+\]: .*statement timeout/, 30), 'which is said');
	$locker->query_safe('ROLLBACK');
	ok($inbox->wait_handled(2), 'and tried again');

	$kafka->produce($topic, messages([ 'p', 'slow', 'o3' ], [ 'o', 4, 'o4' ]));
	ok($inbox->wait_handled(4), 'what takes too long at COMMIT stops nobody');
	ok(wait_for(sub { sql("SELECT string_agg(message_id || sqlstate || state, ' ') FROM outbox.inbox_dead_letter WHERE topic = '$topic'") eq 'o357014failed' }, 30), 'and is found');
	is(sql("SELECT string_agg(value, ' ' ORDER BY value) FROM app.ended"), '1 2 4', 'each of the others is applied once');
	is($inbox->stop, 0, 'asked to stop');
	$locker->quit;
}

# ---- probes and figures
{
	my $topic = topic('http');
	my $http = PgOutbox::Http->new;
	my $inbox = inbox(topics => $topic, config => { inbox => { sql => $seen, policy => 'dead-letter' }, http => { listen => $http->listen } });
	$kafka->produce($topic, messages([ 'h', 1, 'h1' ], [ 'h', 2, 'h1' ], [ 'i', 'poison', 'h3' ], [ 'h', 4, 'h4' ]));
	$inbox->start;
	ok($http->wait_status('/readyz', 200, 30), 'it becomes ready');
	ok($inbox->wait_handled(4), 'and applies what is there');
	is(($http->get('/livez'))[0], 200, 'it is alive');
	my %m;
	ok(wait_for(sub { %m = ($http->get('/metrics'))[1] =~ /^inbox_consumer_(\w+) (\S+)$/mg; ($m{messages_total} // 0) == 4 && $m{dead_letters_total} == 1 }, 10), 'it counts messages');
	is("@m{qw(messages_repeated_total set_aside_total dead_letters_total partitions ready lag_messages fenced_total postgres_errors_total)}", '1 1 1 1 1 0 0 0', 'and what became of them');
	ok(wait_for(sub { %m = ($http->get('/metrics'))[1] =~ /^inbox_consumer_(\w+) (\S+)$/mg; $m{parked_keys} == 1 }, 20), 'one key waits for somebody');
	ok(abs($m{dead_letter_oldest_timestamp_seconds} - time) < 120, 'since just now');
	is(($inbox->run('deadletter', 'discard', '--id=h3', '--yes'))[0], 0, 'when it is discarded');
	ok(wait_for(sub { my $text = ($http->get('/metrics'))[1]; $text =~ /^inbox_consumer_parked_keys 0$/m && $text !~ /^inbox_consumer_dead_letter_oldest/m }, 20), 'none does');
	$node->stop('immediate');
	ok($http->wait_status('/readyz', 503, 20), 'without a database it is not ready');
	like(($http->get('/readyz'))[1], qr/^connecting/, 'and says why');
	is(($http->get('/livez'))[0], 200, 'but alive');
	$node->start;
	ok($http->wait_status('/readyz', 200, 30), 'with one, it is again');
	is($inbox->stop, 0, 'asked to stop');
}

# ---- what is wrong is said
foreach my $wrong (
	[ 'sql', 'SELECT :nonsense', 'sql-invalid', qr/no field ":nonsense"; hint: there are :payload/ ],
	[ 'sql', 'SELECT no_such_function(:key)', 'sql-invalid', qr/no_such_function/ ],
	[ 'topics', ',', 'config-value', qr/inbox\.topics names no topic/ ],
	[ 'consumer', "a\tb", 'config-value', qr/inbox\.consumer is no name/ ])
{
	my ($key, $value, $code, $words) = @$wrong;
	my $inbox = inbox(topics => 't', config => { inbox => { $key => $value } });
	my ($status, undef, $err) = $inbox->run('consume');
	is($status, 1, "inbox.$key = $value: status 1");
	like($err, qr/error\[$code\]: .*$words/, "$code");
}
foreach my $property ('group.id', 'isolation.level', 'enable.auto.commit', 'auto.offset.reset')
{
	my $inbox = inbox(topics => 't', config => { kafka => { $property => 'x' } });
	my ($status, undef, $err) = $inbox->run('consume');
	is("$status $err" =~ /^1 .*error\[kafka-property\]: .*kafka\.\Q$property\E can't be set/ ? 1 : 0, 1, "kafka.$property is refused") or diag($err);
}
{
	sql('CREATE DATABASE bare; CREATE ROLE nobody LOGIN');
	my $inbox = inbox(topics => 't', database => 'bare');
	my ($status, undef, $err) = $inbox->run('consume');
	is($status, 1, 'no extension');
	like($err, qr/error\[inbox-missing\]: .*hint: CREATE EXTENSION pg_outbox/, 'which it says');
	($status, my $out) = $inbox->run('check');
	is($status, 1, 'check says it, too');
	like($out, qr/^FAIL inbox-missing .*the extension/m, 'which is missing');
	like($out, qr/^FAIL topic-unknown .*"t"/m, 'and the topic');
}

done_testing();
