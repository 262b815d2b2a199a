/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A core over a real database with two signers in threads, and the words in which its tests speak:
 * submit, decide, approve, wait for a state.
 */
#ifndef TESTS_UNIT_CORE_RIG_H
#define TESTS_UNIT_CORE_RIG_H

#include <check.h>

#include "core/internal.h"
#include "unit/fake_signer.h"

/** Nothing that a test waits for takes longer. */
#define WAIT_MAX (20 * CS_SECOND)

/** The principals, as indices into access_list. */
enum { CI, OTHER, APPROVER1, APPROVER2, APPROVER3, AUDITOR, PRINCIPALS };

extern char dir[64], database[96];
extern struct cs_policy *policy;
extern struct cs_access *access_list;
extern struct fake_signer *signers[2]; /* prod, dev */
extern struct cs_core *core;

void setup(void);
/** Closes the core; its log must satisfy an auditor. */
void teardown(void);
enum cs_rc try_open(struct cs_err *e);
/** The whole log must satisfy an auditor. @return the number of signatures in it */
int64_t verify_log(void);
/** How many events of a kind the log has. */
int count_events(const char *kind);
/** Run SQL on the file as somebody with access to it would, who first got rid of the triggers. */
void outside(const char *sql);

/** Of core_logcheck.c. */
void add_logcheck_tests(TCase *t);
/** Of core_metrics.c. */
void add_metrics_tests(TCase *t);
/** Of core_repair.c. */
void add_repair_tests(TCase *t);
/** Of core_writer.c. */
void add_writer_tests(TCase *t);

void must(enum cs_rc rc, const struct cs_err *e);
/** Copy a string that fits. */
void text(char *out, size_t size, const char *s);
struct cs_caller caller(int who);

/** Load another policy, sealed, in the core and in the signers that run (others are NULL). Takes p.
 */
enum cs_rc reload(struct cs_policy *p, struct cs_err *e);

struct cs_submission submission(const char *key, uint8_t seed);
enum cs_rc submit_as(int who, const struct cs_submission *s, const char *key, struct cs_answer *a,
		     struct cs_err *e);
/** Submit and expect a state; the id is copied out. */
void submit(const char *key, uint8_t seed, enum cs_state want, char id[static CS_UUID_TEXT]);
enum cs_state state_of(const char *id);
void wait_state(const char *id, enum cs_state want);

struct vote {
	int who;
	const char *key;
	enum cs_verdict_kind verdict;
	int64_t n;
	int64_t head_off; /* added to the log size that is named */
	bool wrong_head;
};

void log_now(struct cs_log_ref *log);
enum cs_rc decide(const char *id, const struct vote *v, struct cs_err *e);
/** The first decision of an approver: yes. */
void approve(const char *id, int who, const char *key);
void decide_fails(const char *id, const struct vote *v, enum cs_rc want, const char *word);

#endif
