/*
 * 10_install.sql - before anything is created; the rules of all parts.
 *
 * Rules that every part of every version keeps:
 *
 * - It runs as a superuser on behalf of somebody who may be none, in a schema
 *   that may have existed before: nothing is looked up by search_path.
 * - Its objects belong to whoever owns the schema, not to the superuser
 *   (99_owner.sql); no function is SECURITY DEFINER.
 * - Functions that applications call for each event name everything in full,
 *   operators too: a SET search_path would cost more than all their checks.
 *   Every other function pins its search_path, or has a body that was bound
 *   when it was created (RETURN ...).
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */

-- complain if the script is sourced in psql, rather than by CREATE EXTENSION
\echo Use "CREATE EXTENSION pg_outbox" to load this file. \quit

SET LOCAL search_path = pg_catalog, pg_temp;

/*
 * The schema is normally made by CREATE EXTENSION.  One that was there before
 * must not belong to a stranger, who could put look-alikes beside our objects.
 * A superuser may install into somebody's schema, as restoring a dump does:
 * the objects are then given to the owner of the schema.
 */
DO $do$
BEGIN
    IF NOT pg_has_role('@extowner@'::regrole,
                       (SELECT nspowner FROM pg_namespace WHERE nspname = 'outbox'),
                       'USAGE') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = 'schema "outbox" exists and belongs to another role',
            HINT = 'Drop the schema, or let its owner or a superuser create the extension.';
    END IF;

    -- events leave in UTF-8: an encoding without conversion fails here, not later
    PERFORM convert_to('x', 'UTF8');
END
$do$;
