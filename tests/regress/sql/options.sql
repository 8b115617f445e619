--
-- Options: what is taken, what is refused and how.
--
\pset format unaligned
SELECT fresh_slot('options');
INSERT INTO outbox.event VALUES (u(1), 'order', '1', 'placed', '{"a": 1}');
\set peek 'SELECT count(*) FROM pg_logical_slot_peek_binary_changes(''options'', NULL, NULL'
-- one message for one row
:peek);
:peek, 'wire', '1', 'max_payload', '64MB', 'frame_size', '64kB', 'origin', 'any', 'wait_visible', 'on', 'cork', 'on', 'message_prefix', 'x', 'table', 'outbox.event');
:peek, 'wait_visible', 'off', 'cork', 'off', 'origin', 'none', 'message_prefix', '', 'frame_size', '1024', 'max_payload', '1');
-- newer clients read older formats
:peek, 'wire', '2');
SELECT convert_from(data, 'UTF8') LIKE '{"begin":"%","wire":1,%' AS wire_1
	FROM pg_logical_slot_peek_binary_changes('options', NULL, NULL, 'wire', '7');
:peek, 'wire', '0');
:peek, 'wire', 'x');
:peek, 'wire', '');
:peek, 'wire', '-1');
:peek, 'wire', '99999999999999999999');
-- unknown, without value, twice
:peek, 'colour', 'red');
:peek, 'Table', 'outbox.event');
:peek, 'wire', '1', 'wire', '1');
:peek, 'origin', 'any', 'wait_visible', 'on', 'origin', 'any');
-- ranges
:peek, 'max_payload', '0');
:peek, 'max_payload', '-1');
:peek, 'max_payload', '1016MB');
:peek, 'max_payload', '1017MB');
:peek, 'max_payload', '64 furlongs');
:peek, 'frame_size', '1023');
:peek, 'frame_size', '1MB');
:peek, 'frame_size', '1048577');
:peek, 'origin', 'local');
:peek, 'origin', '');
:peek, 'wait_visible', 'maybe');
:peek, 'cork', 'maybe');
-- not text
SELECT count(*) FROM pg_logical_slot_peek_changes('options', NULL, NULL);

-- tables
:peek, 'table', '');
:peek, 'table', 'event');
:peek, 'table', 'outbox.');
:peek, 'table', 'outbox.event.x');
:peek, 'table', '.event');
:peek, 'table', 'outbox.1event');
:peek, 'table', '"outbox"."event');
:peek, 'table', '"".event');
:peek, 'table', 'outbox.event (');
:peek, 'table', 'outbox.event ()');
:peek, 'table', 'outbox.event (payload)');
:peek, 'table', 'outbox.event (payload =)');
:peek, 'table', 'outbox.event (payload = payload');
:peek, 'table', 'outbox.event (payload = payload,)');
:peek, 'table', 'outbox.event (payload = payload) x');
:peek, 'table', 'outbox.event (payload = ''x)');
:peek, 'table', 'outbox.event (colour = x)');
:peek, 'table', 'outbox.event (error = x)');
:peek, 'table', 'outbox.event (payload = x, payload = y)');
:peek, 'table', 'outbox.event', 'table', 'outbox.other', 'table', 'OUTBOX."event" (payload = x)');
-- white space, case and quotes as in SQL
:peek, 'table', E' OutBox \t. EVENT ( PAYLOAD = PayLoad , "type" = ''it''''s'' )\n');
:peek, 'table', '"outbox"."event"');
:peek, 'table', '"Outbox".event');
:peek, 'table', 'outbox."event "');
SELECT pg_drop_replication_slot('options');
