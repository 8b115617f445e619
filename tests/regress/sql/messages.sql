--
-- Table-less events: transactional logical messages with the prefix.
--
\pset format unaligned
SELECT fresh_slot('messages');
CREATE FUNCTION emit(content bytea, prefix text DEFAULT 'pg_outbox', transactional bool DEFAULT true) RETURNS void
LANGUAGE sql AS $$ SELECT pg_logical_emit_message(transactional, prefix, content) $$;

SELECT emit(message('i', 'at', 'ai', 't', 'top', 'k', 'pk', '{"h":1}', 'tp', 'the payload'));
SELECT emit(message(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL));
SELECT emit(message('', '', '', '', '', '', '', '', '', ''));
-- the payload is any octets, the fields are UTF-8
SELECT emit(message('a"\\b', E'\n', convert_to(E'\u00e9', 'UTF8'), NULL, NULL, NULL, NULL, NULL, NULL, '\x00ff0a'));
SELECT emit(message('id', '\xff', 'ai', NULL, NULL, NULL, NULL, NULL, NULL, 'p'));
SELECT emit(message('\x61c3', 'at', '\x00', NULL, NULL, NULL, NULL, NULL, NULL, 'p'));
SELECT tx, head, encode(payload, 'escape') AS payload FROM decoded('messages');

-- in a transaction, in order, among rows, rolled back
BEGIN;
SELECT emit(message('1', 'a', 'b', NULL, NULL, NULL, NULL, NULL, NULL, 'first'));
INSERT INTO outbox.event VALUES (u(2), 'order', '2', NULL, '"second"');
SAVEPOINT s;
SELECT emit(message('3', 'a', 'b', NULL, NULL, NULL, NULL, NULL, NULL, 'gone'));
ROLLBACK TO s;
SELECT emit(message('4', 'a', 'b', NULL, NULL, NULL, NULL, NULL, NULL, 'third'));
COMMIT;
BEGIN;
SELECT emit(message('5', 'a', 'b', NULL, NULL, NULL, NULL, NULL, NULL, 'gone'));
ROLLBACK;
-- not transactional, another prefix
SELECT emit(message('6', 'a', 'b', NULL, NULL, NULL, NULL, NULL, NULL, 'not sent'), transactional => false);
SELECT emit(message('7', 'a', 'b', NULL, NULL, NULL, NULL, NULL, NULL, 'not sent'), 'pg_outbox2');
SELECT emit(message('8', 'a', 'b', NULL, NULL, NULL, NULL, NULL, NULL, 'not sent'), '');
SELECT * FROM events('messages');

-- the prefix is an option; none for no messages
SELECT emit(message('9', 'a', 'b', NULL, NULL, NULL, NULL, NULL, NULL, 'p'), 'mine');
SELECT emit(message('10', 'a', 'b', NULL, NULL, NULL, NULL, NULL, NULL, 'p'));
SELECT emit(message('11', 'a', 'b', NULL, NULL, NULL, NULL, NULL, NULL, 'p'), '');
SELECT pg_copy_logical_replication_slot('messages', 'messages2') IS NOT NULL AS copied;
SELECT * FROM events('messages', 'message_prefix', 'mine');
SELECT * FROM events('messages2', 'message_prefix', '');

-- what a streamer tells of its own dead letters: for its slot, whatever the prefix and shard
SELECT emit(message('12', NULL, 'b', NULL, 'dead', NULL, NULL, NULL, NULL, 'p'), 'pg_outbox.dead_letter/messages');
SELECT emit(message('13', NULL, 'c', NULL, 'dead', NULL, NULL, NULL, NULL, 'p'), 'pg_outbox.dead_letter/messages');
SELECT emit('not a message', 'pg_outbox.dead_letter/messages');
SELECT emit(message('14', 'a', 'b', NULL, NULL, convert_to(repeat('k', 1048577), 'UTF8'), NULL, NULL, NULL, 'p'), 'pg_outbox.dead_letter/messages');
SELECT emit(message('15', NULL, 'b', NULL, 'dead', NULL, NULL, NULL, NULL, 'not sent'), 'pg_outbox.dead_letter/message');
SELECT emit(message('16', NULL, 'b', NULL, 'dead', NULL, NULL, NULL, NULL, 'not sent'), 'pg_outbox.dead_letter/messages ');
SELECT emit(message('17', NULL, 'b', NULL, 'dead', NULL, NULL, NULL, NULL, 'not sent'), 'pg_outbox.dead_letter/');
SELECT emit(message('18', NULL, 'b', NULL, 'dead', NULL, NULL, NULL, NULL, 'not sent'), 'pg_outbox.dead_letter/messages', transactional => false);
SELECT * FROM events('messages2');
SELECT head, payload FROM events('messages', 'message_prefix', '', 'shard', '1/2');

-- malformed ones: an event all the same, so that it isn't lost without notice
DO $$
DECLARE
	good bytea := message('1', 'a', 'b', NULL, NULL, NULL, NULL, NULL, NULL, 'payload');
	content bytea;
BEGIN
	-- every cut of a good one
	FOR i IN 0..length(good) - 1 LOOP
		PERFORM emit(substring(good FROM 1 FOR i));
	END LOOP;
	FOREACH content IN ARRAY ARRAY[
		good || ','::bytea,
		good || field(NULL),
		'2'::bytea || substring(good FROM 2),
		replace(convert_from(good, 'UTF8'), '1:1', '01:1')::bytea,
		replace(convert_from(good, 'UTF8'), '1:1', '00:')::bytea,
		replace(convert_from(good, 'UTF8'), '1:1', '+1:1')::bytea,
		replace(convert_from(good, 'UTF8'), '1:1', ' 1:1')::bytea,
		replace(convert_from(good, 'UTF8'), '1:1', ':')::bytea,
		replace(convert_from(good, 'UTF8'), '1:1', '-1:1')::bytea,
		replace(convert_from(good, 'UTF8'), '7:', '8:')::bytea,
		replace(convert_from(good, 'UTF8'), '7:', '6:')::bytea,
		replace(convert_from(good, 'UTF8'), '7:', '4294967303:')::bytea,
		replace(convert_from(good, 'UTF8'), '7:', '18446744073709551623:')::bytea,
		replace(convert_from(good, 'UTF8'), '7:', '99999999999999999999999999:')::bytea,
		replace(convert_from(good, 'UTF8'), '-,', '-;')::bytea,
		'\x00'::bytea]
	LOOP
		PERFORM emit(content);
	END LOOP;
	PERFORM emit(good);
END $$;
SELECT head, payload, count(*) FROM events('messages') GROUP BY 1, 2 ORDER BY 3;

-- sizes
SELECT emit(message('1', 'a', 'b', NULL, NULL, NULL, NULL, NULL, NULL, convert_to(repeat('x', n), 'UTF8')))
	FROM unnest('{99,100,101,1000000}'::int[]) n;
SELECT emit(message('1', 'a', 'b', NULL, NULL, convert_to(repeat('k', n), 'UTF8'), NULL, NULL, NULL, 'p'))
	FROM unnest('{1000000,1048576,1048577}'::int[]) n;
SELECT left(head, 60) AS head, length(payload) FROM decoded('messages', 'max_payload', '100');

DROP FUNCTION emit;
SELECT pg_drop_replication_slot(s) FROM unnest('{messages,messages2}'::name[]) s;
