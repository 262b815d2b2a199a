/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All SQL of the daemon in one list, prepared when a database is opened (writers' statements only
 * for writers). Schema: sql/schema-2.sql. A new statement: one line here, one function in the file
 * of its noun.
 */
#ifndef CS_STORE_SQLITE_SQL_H
#define CS_STORE_SQLITE_SQL_H

#define SQ_REQUEST_COLUMNS                                                             \
	"num, id, principal, environment, state, reason, created, expires, revision, " \
	"coalesce(next_attempt, 0), attempts, comment"

/* The few requests that have not ended. Without the name of its partial index, which must be asked
 * by the words of its definition, SQLite reads all there ever were. */
#define SQ_LIVE                            \
	"request INDEXED BY request_live " \
	"WHERE (state = 'pending' OR state = 'approved' OR state = 'signing')"

/* R: every connection, W: the writing one */
#define SQ_STATEMENTS(R, W)                                                                        \
	W(BEGIN, "BEGIN IMMEDIATE")                                                                \
	W(COMMIT, "COMMIT")                                                                        \
	W(ROLLBACK, "ROLLBACK")                                                                    \
	W(SAVEPOINT, "SAVEPOINT command")                                                          \
	W(RELEASE, "RELEASE command")                                                              \
	W(REVERT, "ROLLBACK TO command")                                                           \
	W(EVENT_INSERT, "INSERT INTO event (seq, bytes, hash, prev) VALUES (?1, ?2, ?3, ?4)")      \
	R(EVENT_LAST, "SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1")                     \
	R(EVENT_HASH, "SELECT hash FROM event WHERE seq = ?1")                                     \
	R(EVENT_RANGE, "SELECT seq, bytes FROM event WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq")    \
	R(EVENT_ROWS,                                                                              \
	  "SELECT seq, bytes, hash, prev FROM event WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq")     \
	W(REQUEST_INSERT,                                                                          \
	  "INSERT INTO request (id, principal, environment, state, created, expires, revision, "   \
	  "next_attempt, attempts, comment) "                                                      \
	  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, nullif(?8, 0), ?9, ?10)")                           \
	W(DOCUMENT_INSERT,                                                                         \
	  "INSERT INTO document (request, sha256, equality, equality_place, key, key_place, "      \
	  "fingerprint, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                           \
	W(REQUEST_GROUP_INSERT,                                                                    \
	  "INSERT OR IGNORE INTO request_group (\"group\", request) VALUES (?1, ?2)")              \
	W(REQUEST_CHANGE,                                                                          \
	  "UPDATE request SET state = ?3, revision = ?5, next_attempt = nullif(?6, 0), "           \
	  "attempts = attempts + ?7, reason = coalesce(?8, reason) "                               \
	  "WHERE num = ?1 AND state = ?2 AND (?4 = -1 OR revision = ?4)")                          \
	R(REQUEST_GET, "SELECT " SQ_REQUEST_COLUMNS ", sha256, bytes FROM request "                \
		       "JOIN document ON request = num WHERE id = ?1")                             \
	R(REQUEST_NUM, "SELECT num FROM request WHERE id = ?1")                                    \
	R(REQUEST_LIST, "SELECT " SQ_REQUEST_COLUMNS " FROM request WHERE num < ?1 "               \
			"AND (?2 IS NULL OR state = ?2) AND (?3 IS NULL OR environment = ?3) "     \
			"ORDER BY num DESC LIMIT ?4")                                              \
	R(REQUEST_LIST_OWNER,                                                                      \
	  "SELECT " SQ_REQUEST_COLUMNS " FROM request WHERE num < ?1 "                             \
	  "AND (?2 IS NULL OR state = ?2) AND (?3 IS NULL OR environment = ?3) "                   \
	  "AND principal = ?5 ORDER BY num DESC LIMIT ?4")                                         \
	R(REQUEST_LIST_GROUP,                                                                      \
	  "SELECT " SQ_REQUEST_COLUMNS " FROM request_group AS g JOIN request ON num = g.request " \
	  "WHERE g.\"group\" = ?5 AND g.request < ?1 AND (?2 IS NULL OR state = ?2) "              \
	  "AND (?3 IS NULL OR environment = ?3) ORDER BY g.request DESC LIMIT ?4")                 \
	R(REQUEST_LIVE, "SELECT " SQ_REQUEST_COLUMNS " FROM " SQ_LIVE " AND num > ?1 "             \
			"ORDER BY num LIMIT ?2")                                                   \
	R(REQUEST_EXPIRED, "SELECT id FROM " SQ_LIVE " AND state <> 'signing' AND expires <= ?1 "  \
			   "AND +num BETWEEN ?2 AND ?3 LIMIT ?4")                                  \
	R(REQUEST_LAST, "SELECT coalesce(max(num), 0) FROM request")                               \
	R(REQUEST_DUE, "SELECT id FROM request WHERE next_attempt <= ?1 AND state = 'approved' "   \
		       "ORDER BY next_attempt LIMIT ?2")                                           \
	R(REQUEST_OPEN, "SELECT count(*) FROM " SQ_LIVE " AND principal = ?1")                     \
	R(REQUEST_LIVE_COUNT,                                                                      \
	  "SELECT state, count(*), min(created) FROM " SQ_LIVE " GROUP BY state")                  \
	W(REQUEST_EQUAL, "SELECT id FROM request JOIN document ON request = num WHERE num = ?1 "   \
			 "AND equality = ?2 AND principal = ?3 AND created > ?4 "                  \
			 "AND (state = 'pending' OR state = 'approved' OR state = 'signing' "      \
			 "OR state = 'signed')")                                                   \
	W(REQUEST_KEY, "SELECT id, fingerprint FROM request JOIN document ON request = num "       \
		       "WHERE num = ?1 AND key = ?2 AND principal = ?3 AND created > ?4")          \
	W(PLACE_INSERT, "INSERT OR IGNORE INTO request_place (kind, place, request) "              \
			"VALUES (?1, ?2, ?3)")                                                     \
	W(PLACE_BEFORE, "SELECT request FROM request_place WHERE kind = ?1 AND place = ?2 "        \
			"AND request < ?3 ORDER BY request DESC LIMIT 1")                          \
	W(PLACE_RANGE,                                                                             \
	  "SELECT place FROM request_place WHERE kind = ?1 AND place BETWEEN ?2 AND ?3")           \
	W(PLACE_LOAD, "SELECT request, equality_place, key_place FROM document "                   \
		      "WHERE request > ?1 ORDER BY request")                                       \
	W(ARTIFACT_INSERT,                                                                         \
	  "INSERT INTO artifact (request, idx, state, attempts) VALUES (?1, ?2, ?3, ?4)")          \
	R(ARTIFACT_LIST, "SELECT idx, state, attempts, unknowns FROM artifact WHERE request = ?1") \
	W(ARTIFACT_MOVE,                                                                           \
	  "UPDATE artifact SET state = ?4, attempts = attempts + ?5, unknowns = unknowns + ?6 "    \
	  "WHERE request = ?1 AND idx = ?2 AND state = ?3")                                        \
	W(SIGNATURE_INSERT, "INSERT INTO signature (request, idx, bytes) VALUES (?1, ?2, ?3)")     \
	R(SIGNATURE_LIST, "SELECT idx, bytes FROM signature WHERE request = ?1 ORDER BY idx")      \
	W(SIGNATURE_DROP, "DELETE FROM signature WHERE request = ?1")                              \
	W(DECISION_INSERT,                                                                         \
	  "INSERT INTO decision (request, person, n, verdict, spki, envelope, comment, seq) "      \
	  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                               \
	R(DECISION_LIST, "SELECT person, n, verdict, spki, envelope, comment, seq FROM decision "  \
			 "WHERE request = ?1 ORDER BY seq")                                        \
	W(USES_COUNT, "INSERT INTO meta (name, value) VALUES (?1, ?2) "                            \
		      "ON CONFLICT (name) DO UPDATE SET value = value + excluded.value")           \
	R(MARK_GET, "SELECT value FROM meta WHERE name = ?1")                                      \
	W(MARK_SET, "UPDATE meta SET value = ?2 WHERE name = ?1")

#define SQ_ENUM(name, sql) SQ_##name,
enum sq_id { SQ_STATEMENTS(SQ_ENUM, SQ_ENUM) SQ__COUNT };
#undef SQ_ENUM

#endif
