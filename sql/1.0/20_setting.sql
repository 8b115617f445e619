/*
 * 20_setting.sql - what can be set: the largest event.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */

CREATE TABLE outbox.setting (
    name text NOT NULL,
    value text NOT NULL,
    CONSTRAINT setting_pkey PRIMARY KEY (name)
);

COMMENT ON TABLE outbox.setting IS
'What was set by set_max_event_bytes(); dumped by pg_dump and applied again when restored. Empty: all defaults.';
COMMENT ON COLUMN outbox.setting.name IS 'max_event_bytes';
COMMENT ON COLUMN outbox.setting.value IS 'Its value, in decimal.';
COMMENT ON CONSTRAINT setting_pkey ON outbox.setting IS 'One value for each setting.';

SELECT pg_extension_config_dump('outbox.setting', '');

/*
 * A constant, so that checking an event reads no table.  apply_setting()
 * replaces it; scripts of later versions leave it alone.
 */
CREATE FUNCTION outbox.max_event_bytes()
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 1000000::bigint;

COMMENT ON FUNCTION outbox.max_event_bytes() IS
'Largest event in octets, as Kafka''s message.max.bytes counts: payload, key, headers and all other fields together, in UTF-8, and 512 for what is added on the way. Change it with outbox.set_max_event_bytes().';

CREATE FUNCTION outbox.apply_setting()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- what a Kafka client can be configured for, and what fits in a WAL record
    smallest CONSTANT bigint := 1000;
    largest CONSTANT bigint := 268435456;
    bytes bigint := 1000000;
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.name <> OLD.name
       OR TG_OP <> 'DELETE' AND NEW.name <> 'max_event_bytes' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('unknown setting "%s"', NEW.name),
            HINT = 'The only setting is max_event_bytes.';
    END IF;
    IF TG_OP <> 'DELETE' THEN
        IF NEW.value !~ '^[0-9]{1,18}$' OR NEW.value::bigint NOT BETWEEN smallest AND largest THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('max_event_bytes can''t be %s', left(NEW.value, 40)),
                HINT = format('Choose a number of octets from %s to %s.', smallest, largest);
        END IF;
        bytes := NEW.value::bigint;
    END IF;
    EXECUTE format('CREATE OR REPLACE FUNCTION outbox.max_event_bytes() RETURNS bigint '
                   'LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN %s::bigint', bytes);
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION outbox.apply_setting() IS
'Trigger of outbox.setting: checks a setting and puts it into effect, also when a dump is restored.';

CREATE TRIGGER setting_apply
AFTER INSERT OR UPDATE OR DELETE ON outbox.setting
FOR EACH ROW EXECUTE FUNCTION outbox.apply_setting();

COMMENT ON TRIGGER setting_apply ON outbox.setting IS 'Puts a setting into effect.';

CREATE FUNCTION outbox.set_max_event_bytes(bytes bigint)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF bytes IS NULL THEN
        DELETE FROM outbox.setting WHERE name = 'max_event_bytes';
    ELSE
        INSERT INTO outbox.setting AS s (name, value)
        VALUES ('max_event_bytes', bytes)
        ON CONFLICT ON CONSTRAINT setting_pkey DO UPDATE SET value = excluded.value;
    END IF;
END
$$;

COMMENT ON FUNCTION outbox.set_max_event_bytes(bigint) IS
'Sets the largest event in octets for rows and messages written from now on; NULL sets the default of 1000000, which is also message.max.bytes of the Kafka client. Topic, brokers and streamer must allow as much.';
