/*
 * 99_owner.sql - the last step: whose it is.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */

/*
 * All of it to the owner, and nothing to anybody else.  The owner first, so that
 * the privileges that pg_dump takes as given name the owner.
 */
DO $do$
DECLARE
    owner CONSTANT regrole := (SELECT CASE WHEN r.rolsuper THEN n.nspowner ELSE r.oid END
                               FROM pg_namespace AS n, pg_roles AS r
                               WHERE n.nspname = 'outbox' AND r.oid = '@extowner@'::regrole);
    member record;
BEGIN
    FOR member IN
        SELECT i.type, i.identity
        FROM pg_depend AS d
        CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) AS i
        WHERE d.refclassid = 'pg_extension'::regclass
            AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_outbox')
            AND d.deptype = 'e'
            AND i.type IN ('table', 'view', 'function')
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO %s', member.type, member.identity, owner);
        EXECUTE format('REVOKE ALL ON %s %s FROM PUBLIC',
                       CASE member.type WHEN 'function' THEN 'FUNCTION' ELSE 'TABLE' END,
                       member.identity);
    END LOOP;
END
$do$;
