# large.pl - rows that the server stores but can't put into words don't wedge a slot.
#
# A jsonb of 170 MB can be inserted, but as text it passes the 1 GB that any string
# of the server can hold; so does one of a few kB full of 1e131071.  An output
# plugin that calls the type's output function fails on such a row for ever.
#
# runs alone
# Copyright (c) 2026, pg_outbox contributors
# SPDX-License-Identifier: PostgreSQL

use strict;
use warnings FATAL => 'all';

use PgOutbox::Node;
use Test::More;

my $node = PgOutbox::Node->new('large');
$node->init;
$node->start;
$node->safe_psql('postgres', <<'END');
CREATE SCHEMA outbox;
CREATE TABLE outbox.event (id int, payload jsonb);
CREATE TABLE outbox.plain (id int, payload text);
END
$node->create_slot('large');

$node->safe_psql('postgres', <<'END');
INSERT INTO outbox.event VALUES (1, '"before"');
INSERT INTO outbox.event SELECT 2, to_jsonb(repeat(E'\u0001', 180000000));
INSERT INTO outbox.event SELECT 3, jsonb_agg(1e131071) FROM generate_series(1, 10000);
INSERT INTO outbox.event VALUES (4, '"between"');
INSERT INTO outbox.plain SELECT 5, repeat('x', 64 * 1024 * 1024);
INSERT INTO outbox.plain SELECT 6, repeat('x', 64 * 1024 * 1024 + 1);
INSERT INTO outbox.event VALUES (7, '"after"');
END

my ($ret, $out, $err) = $node->psql('postgres', 'SELECT length(payload::text) FROM outbox.event WHERE id = 3');
isnt($ret, 0, 'the server itself has no text for such a row');

my $lines = <<'END';
SELECT regexp_replace(convert_from(CASE WHEN length(data) < 1000000 THEN data
	ELSE substring(data FROM 1 FOR 200) || '...'::bytea || substring(data FROM length(data) - 40) END, 'UTF8'),
	'xxx+', 'xxx', 'g'), length(data) / 1000000
FROM pg_logical_slot_peek_binary_changes('large', NULL, NULL, 'table', 'outbox.event', 'table', 'outbox.plain'
END
my $got = $node->safe_psql('postgres', "$lines)");
like($got, qr/"id":"1","size": +8\}\n"before"/, 'what is before arrives');
like($got, qr/"id":"2","error":"payload-too-large","size":null\}\n\n/, 'octets that escapes make too long: an error');
like($got, qr/"id":"3","error":"payload-too-large","size":null\}\n\n/, 'numbers of many digits: an error');
like($got, qr/"id":"4","size": +9\}\n"between"/, 'what is between arrives');
like($got, qr/"id":"5","size": +67108864\}\nxxx\.\.\.xxx\n\{"commit":"[^"]+","events":1\}\n\|67/, '64 MiB arrive, in one message');
like($got, qr/"id":"6","error":"payload-too-large","size":null\}\n\n/, 'an octet more does not');
like($got, qr/"id":"7","size": +7\}\n"after"/, 'what is after arrives');

# with the highest limit there is, no buffer overflows either
$got = $node->safe_psql('postgres', "$lines, 'max_payload', '1016MB')");
like($got, qr/"id":"2","error":"payload-too-large"/, 'highest limit: escapes');
like($got, qr/"id":"3","error":"payload-too-large"/, 'highest limit: numbers');
like($got, qr/"id":"6","size": +67108865\}/, 'highest limit: text');
like($got, qr/"id":"7","size": +7\}\n"after"/, 'highest limit: what is after arrives');

$node->stop;
done_testing();
