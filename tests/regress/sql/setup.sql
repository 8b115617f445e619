--
-- What the other tests read slots with.
--

-- decoded(slot, option, value, ...): takes what the slot has, checks all of the
-- grammar in decoder_plugin/wire.h and gives one row for each event.
CREATE FUNCTION decoded(slot name, VARIADIC options text[] DEFAULT '{}')
RETURNS TABLE (tx int, head text, payload bytea)
LANGUAGE plpgsql AS $$
DECLARE
	order_of constant text[] := '{table,id,aggregatetype,aggregateid,type,topic,key,partition_key,headers,traceparent,timestamp,error}';
	string constant text := '"([^"\\\x01-\x1f]|\\["\\bfnrt]|\\u00[01][0-9a-f])*"';
	data bytea;
	line text;
	stop int;
	members text[];
	size text;
	begin_lsn text;				-- NULL between transactions
	write_lsn pg_lsn;			-- a transaction's end, when its last message is written
	events int;
BEGIN
	tx := 0;
	FOR data, write_lsn IN
		SELECT c.data, c.lsn FROM pg_logical_slot_get_binary_changes(slot, NULL, NULL, VARIADIC options) c
	LOOP
		WHILE length(data) > 0 LOOP
			stop := position('\x0a'::bytea IN data);
			ASSERT stop > 0, 'line without end';
			line := convert_from(substring(data FROM 1 FOR stop - 1), 'UTF8');
			data := substring(data FROM stop + 1);

			IF begin_lsn IS NULL THEN
				ASSERT line ~ '^\{"begin":"(0|[1-9A-F][0-9A-F]*)/(0|[1-9A-F][0-9A-F]*)","wire":1,"xid":[1-9][0-9]*,"time":[1-9][0-9]*\}$', line;
				begin_lsn := line::json->>'begin';
				ASSERT abs(extract(epoch FROM now()) - (line::json->>'time')::numeric / 1000000) < 86400, line;
				tx := tx + 1;
				events := 0;
				CONTINUE;
			END IF;

			IF line LIKE '{"commit":%' THEN
				ASSERT line = format('{"commit":"%s","events":%s}', begin_lsn, events), line;
				ASSERT length(data) = 0, 'message goes on behind a commit';
				ASSERT begin_lsn::pg_lsn = write_lsn, 'not the end of the commit record';
				ASSERT events > 0, 'transaction without events';
				begin_lsn := NULL;
				CONTINUE;
			END IF;

			ASSERT line ~ ('^\{"n":' || events || '(,"[a-z_]+":' || string || ')*,"size":([ 0-9]{9}[0-9]|null)\}$'), line;
			ASSERT octet_length(line) <= 1024 * 1024, 'head too long';
			members := ARRAY(SELECT k FROM json_object_keys(line::json) k);
			members := members[2:cardinality(members) - 1];
			ASSERT members = ARRAY(SELECT o FROM unnest(order_of) WITH ORDINALITY u(o, i)
								   WHERE o = ANY (members) ORDER BY i), line;
			head := regexp_replace(regexp_replace(line, '^\{"n":\d+,?', ''), ',?"size":([ 0-9]+|null)\}$', '');
			size := line::json->>'size';
			payload := substring(data FROM 1 FOR size::int);
			ASSERT size IS NULL OR NOT 'error' = ANY (members), line;
			data := substring(data FROM coalesce(size::int, 0) + 1);
			ASSERT substring(data FROM 1 FOR 1) = '\x0a'::bytea, 'payload not ended';
			data := substring(data FROM 2);
			events := events + 1;
			RETURN NEXT;
		END LOOP;
	END LOOP;
	ASSERT begin_lsn IS NULL, 'transaction without end';
END $$;

-- The same with payloads as text, for UTF-8.
CREATE FUNCTION events(slot name, VARIADIC options text[] DEFAULT '{}')
RETURNS TABLE (tx int, head text, payload text)
LANGUAGE sql AS $$
	SELECT tx, head, convert_from(payload, 'UTF8') FROM decoded(slot, VARIADIC options)
$$;

-- Makes a slot at the current position, in place of one of the same name.
CREATE FUNCTION fresh_slot(slot name) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = slot;
	PERFORM pg_create_logical_replication_slot(slot, 'outbox_decoder');
END $$;

-- The octets of one field of a logical message, and of a whole one.
CREATE FUNCTION field(value bytea) RETURNS bytea
LANGUAGE sql AS $$
	SELECT coalesce(convert_to(length(value) || ':', 'UTF8') || value || ',', '-,')
$$;

CREATE FUNCTION message(VARIADIC fields bytea[]) RETURNS bytea
LANGUAGE sql AS $$
	SELECT '1'::bytea || string_agg(field(f), '' ORDER BY i) FROM unnest(fields) WITH ORDINALITY u(f, i)
$$;

-- The outbox table most tests use; only what the plugin looks at.
CREATE SCHEMA outbox;
CREATE TABLE outbox.event (
	id uuid NOT NULL,
	aggregatetype text NOT NULL,
	aggregateid text NOT NULL,
	type text,
	payload jsonb,
	topic text,
	key text,
	partition_key text,
	headers jsonb,
	traceparent text,
	created_at timestamptz DEFAULT now()
);

-- A uuid from a number.
CREATE FUNCTION u(n int) RETURNS uuid
LANGUAGE sql AS $$ SELECT lpad(n::text, 32, '0')::uuid $$;
