-- SPDX-License-Identifier: Apache-2.0
-- From schema 1 to schema 2, in one transaction with foreign keys off. The log's rows stay where they are.
-- What is created here is as in schema-2.sql, which says why. place() is the program's: see migrate.c.

-- The new table takes the old one's name at the end: what refers to it then means the new one.
CREATE TABLE request_2 (
	num          INTEGER PRIMARY KEY,
	id           TEXT NOT NULL UNIQUE,               -- UUIDv7
	principal    TEXT NOT NULL,
	environment  TEXT NOT NULL,
	state        TEXT NOT NULL,
	reason       TEXT NOT NULL DEFAULT '',           -- why it ended, when that needs saying
	created      INTEGER NOT NULL,
	expires      INTEGER NOT NULL,
	revision     INTEGER NOT NULL,                   -- seq of the last event about it; guards every change
	next_attempt INTEGER,                            -- when the timer tries (again); NULL = not scheduled
	attempts     INTEGER NOT NULL DEFAULT 0,
	comment      TEXT NOT NULL DEFAULT ''            -- erasable; the document has its hash
) STRICT;

INSERT INTO request_2 (num, id, principal, environment, state, reason, created, expires, revision, next_attempt, attempts, comment)
SELECT num, id, principal, environment, state, reason, created, expires, revision, next_attempt, attempts, comment FROM request;

CREATE TABLE document (
	request        INTEGER PRIMARY KEY REFERENCES request (num),
	sha256         BLOB NOT NULL CHECK (length(sha256) = 32),
	equality       BLOB NOT NULL CHECK (length(equality) = 32),
	equality_place INTEGER NOT NULL,                 -- first 8 bytes of SHA-256(principal, 0, equality)
	key            TEXT,                             -- Idempotency-Key
	key_place      INTEGER,                          -- the same of SHA-256(principal, 0, key)
	fingerprint    BLOB CHECK (length(fingerprint) = 32), -- of the body that came with the key
	bytes          BLOB NOT NULL                     -- exact bytes, what approvers sign
) STRICT;

INSERT INTO document (request, sha256, equality, equality_place, key, key_place, fingerprint, bytes)
SELECT r.num, document_sha256, equality, place(r.principal, equality), key, place(r.principal, key), fingerprint, document
FROM request AS r LEFT JOIN idempotency AS i ON i.request = r.num ORDER BY r.num;

DROP TABLE idempotency;
DROP TABLE request;
ALTER TABLE request_2 RENAME TO request;

CREATE INDEX request_live ON request (principal, expires, state)
	WHERE (state = 'pending' OR state = 'approved' OR state = 'signing');
CREATE INDEX request_due ON request (next_attempt) WHERE next_attempt IS NOT NULL;
CREATE INDEX request_owner ON request (principal, num);

CREATE TABLE request_place (
	kind    INTEGER NOT NULL,                        -- 0: document.equality_place, 1: document.key_place
	place   INTEGER NOT NULL,
	request INTEGER NOT NULL,
	PRIMARY KEY (kind, place, request)
) STRICT, WITHOUT ROWID;

-- All of them: more than the writer relies on.
INSERT INTO request_place (kind, place, request)
SELECT 0, equality_place, request FROM document ORDER BY equality_place, request;
INSERT INTO request_place (kind, place, request)
SELECT 1, key_place, request FROM document WHERE key_place IS NOT NULL ORDER BY key_place, request;
