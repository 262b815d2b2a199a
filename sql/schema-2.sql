-- SPDX-License-Identifier: Apache-2.0
-- countersign's database, schema 2 (PRAGMA user_version). Applied in one transaction when the database is created.
-- Times are microseconds since 1970, UTC. Hashes are SHA-256. States and verdicts are the names in src/model.
-- The event table is the log; everything else could be rebuilt from it and serves the daemon's own questions.

-- One row per event: the exact bytes that were hashed. Never updated, never deleted.
CREATE TABLE event (
	seq   INTEGER PRIMARY KEY,                       -- from 1, without gaps
	bytes BLOB NOT NULL,                             -- canonical JSON, docs/PROTOCOL.log
	hash  BLOB NOT NULL CHECK (length(hash) = 32),   -- SHA-256(0x00 || bytes)
	prev  BLOB NOT NULL CHECK (length(prev) = 32)    -- hash of seq - 1; zeros for event 1
) STRICT;

-- The triggers are for whoever else opens the file. The daemon's connection runs without them, as they cost a copy
-- of each page that an INSERT changes, and looks at the last row once in a transaction: src/store/sqlite/events.c.
CREATE TRIGGER event_chain BEFORE INSERT ON event
WHEN (NEW.seq = 1 AND NEW.prev <> zeroblob(32))
  OR (NEW.seq <> 1 AND NEW.prev IS NOT (SELECT hash FROM event WHERE seq = NEW.seq - 1))
  OR EXISTS (SELECT 1 FROM event WHERE seq >= NEW.seq)
BEGIN SELECT RAISE(ABORT, 'the event does not follow the last one'); END;

CREATE TRIGGER event_update BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;

CREATE TRIGGER event_delete BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;

-- One row per request that was not denied: what may change, so the row is small.
CREATE TABLE request (
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

-- Not "state IN (...)", for which SQLite fills a temporary table at every insert and every change.
CREATE INDEX request_live ON request (principal, expires, state)
	WHERE (state = 'pending' OR state = 'approved' OR state = 'signing');
CREATE INDEX request_due ON request (next_attempt) WHERE next_attempt IS NOT NULL;
CREATE INDEX request_owner ON request (principal, num);

-- What a request was submitted as; never changed. The small columns come first: every start reads those of the last
-- requests.
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

-- Documents by their places; the document then says whether it is the one. An index whose keys come in no order
-- costs every commit a page for each row, so the writer keeps what is new in memory and adds to this table one range
-- of places at a time: at every 64th request the next one of 2,048, those of kind 0 first. So the number of the last
-- request says which rows must be here, and of the last 131,072 some are not. See src/store/sqlite/places.c. No
-- reference, which would cost a look at each row.
CREATE TABLE request_place (
	kind    INTEGER NOT NULL,                        -- 0: document.equality_place, 1: document.key_place
	place   INTEGER NOT NULL,
	request INTEGER NOT NULL,
	PRIMARY KEY (kind, place, request)
) STRICT, WITHOUT ROWID;

-- Which approvers' groups a request asks: what an approver may see.
CREATE TABLE request_group (
	"group" TEXT NOT NULL,
	request INTEGER NOT NULL REFERENCES request (num),
	PRIMARY KEY ("group", request)
) STRICT, WITHOUT ROWID;

CREATE TABLE artifact (
	request  INTEGER NOT NULL REFERENCES request (num),
	idx      INTEGER NOT NULL,                       -- place in the document
	state    TEXT NOT NULL,
	attempts INTEGER NOT NULL DEFAULT 0,             -- intents written
	unknowns INTEGER NOT NULL DEFAULT 0,             -- of them without an answer
	PRIMARY KEY (request, idx)
) STRICT, WITHOUT ROWID;

-- Signatures that were made; released only when the whole request is signed, deleted when it ends otherwise.
CREATE TABLE signature (
	request INTEGER NOT NULL REFERENCES request (num),
	idx     INTEGER NOT NULL,
	bytes   BLOB NOT NULL,
	PRIMARY KEY (request, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE decision (
	request  INTEGER NOT NULL REFERENCES request (num),
	person   TEXT NOT NULL,
	n        INTEGER NOT NULL CHECK (n >= 1),
	verdict  TEXT NOT NULL,
	spki     BLOB NOT NULL CHECK (length(spki) = 32),
	envelope BLOB NOT NULL,                          -- DSSE, exact bytes
	comment  TEXT NOT NULL DEFAULT '',               -- erasable; the payload has its hash
	seq      INTEGER NOT NULL REFERENCES event (seq),
	PRIMARY KEY (request, person, n)
) STRICT, WITHOUT ROWID;

-- 'running' is 1 while a daemon has the database open: how an unclean stop is noticed.
-- 'policy_seq' is the number of the last policy.loaded event.
CREATE TABLE meta (
	name  TEXT PRIMARY KEY,
	value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta (name, value) VALUES ('running', 0), ('policy_seq', 0);
