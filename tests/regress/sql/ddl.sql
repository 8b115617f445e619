--
-- Tables that change while events flow: each row is read as it was written.
--
\pset format unaligned
CREATE SCHEMA app;
CREATE TABLE app.event (id int, aggregatetype text, payload json);
SELECT fresh_slot('ddl');
INSERT INTO app.event VALUES (1, 'a', '{}');
-- a column comes, with a default that old rows have only in the catalogue
ALTER TABLE app.event ADD topic text DEFAULT 'added';
INSERT INTO app.event VALUES (2, 'a', '{}');
INSERT INTO app.event VALUES (3, 'a', '{}', 'own');
-- goes
ALTER TABLE app.event DROP aggregatetype;
INSERT INTO app.event VALUES (4, '{}', 'own');
-- and comes back elsewhere
ALTER TABLE app.event ADD aggregatetype text;
INSERT INTO app.event VALUES (5, '{}', 'own', 'a');
-- gets another type
ALTER TABLE app.event ALTER payload TYPE jsonb USING '{"b":1,"a":2}';
INSERT INTO app.event VALUES (6, '{"b":1,"a":2}', 'own', 'a');
ALTER TABLE app.event ALTER payload TYPE float USING 1;
INSERT INTO app.event VALUES (7, 1.5, 'own', 'a');
ALTER TABLE app.event ALTER payload TYPE text;
-- another name
ALTER TABLE app.event RENAME topic TO key;
INSERT INTO app.event VALUES (8, 'x', 'own', 'a');
ALTER TABLE app.event RENAME payload TO body;
INSERT INTO app.event VALUES (9, 'x', 'own', 'a');
ALTER TABLE app.event RENAME body TO payload;
-- another place
ALTER TABLE app.event RENAME TO old_event;
INSERT INTO app.old_event VALUES (10, 'not seen', 'own', 'a');
CREATE TABLE app.event (payload text, id int);
INSERT INTO app.event VALUES ('the new table', 11);
INSERT INTO app.old_event VALUES (12, 'not seen', 'own', 'a');
DROP TABLE app.event;
ALTER TABLE app.old_event RENAME TO event;
INSERT INTO app.event VALUES (13, 'seen', 'own', 'a');
-- all of it in one transaction, and some of it undone
BEGIN;
INSERT INTO app.event VALUES (14, 'seen', 'own', 'a');
ALTER TABLE app.event ADD traceparent text DEFAULT 'tp';
INSERT INTO app.event VALUES (15, 'seen', 'own', 'a');
SAVEPOINT s;
ALTER TABLE app.event DROP traceparent;
ALTER TABLE app.event RENAME id TO identity;
INSERT INTO app.event VALUES (16, 'not seen', 'own', 'a');
ROLLBACK TO s;
INSERT INTO app.event VALUES (17, 'seen', 'own', 'a', 'other');
ALTER TABLE app.event DROP traceparent;
TRUNCATE app.event;
INSERT INTO app.event VALUES (18, 'seen', 'own', 'a');
COMMIT;
-- rewrites of the table are no events
INSERT INTO app.event SELECT i, 'many', 'own', 'a' FROM generate_series(100, 102) i;
VACUUM FULL app.event;
ALTER TABLE app.event ALTER id TYPE bigint;
INSERT INTO app.event VALUES (19, 'seen', 'own', 'a');
-- the table is gone by the time it is decoded
CREATE TYPE mood AS ENUM ('happy');
CREATE TABLE app.short (id int, payload text, topic mood);
INSERT INTO app.short VALUES (20, 'short-lived', 'happy');
ALTER TYPE mood RENAME VALUE 'happy' TO 'glad';
INSERT INTO app.short VALUES (21, 'short-lived', 'glad');
BEGIN;
ALTER TYPE mood ADD VALUE 'sad';
COMMIT;
INSERT INTO app.short VALUES (22, 'short-lived', 'sad');
DROP TABLE app.short;
DROP TYPE mood;
CREATE UNLOGGED TABLE app.short (id int, payload text);
INSERT INTO app.short VALUES (23, 'not in the WAL');
CREATE TEMP TABLE short (id int, payload text);
INSERT INTO short VALUES (24, 'not in the WAL');
SELECT head, payload FROM events('ddl', 'table', 'app.event', 'table', 'app.short');
DROP TABLE app.event, app.short;
DROP SCHEMA app;
SELECT pg_drop_replication_slot('ddl');
