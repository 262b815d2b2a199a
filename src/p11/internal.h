/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of p11/ share: the loaded module, guarded calls, attributes.
 * Nobody outside p11/ includes this: it brings PKCS#11's own names along.
 */
#ifndef CS_P11_INTERNAL_H
#define CS_P11_INTERNAL_H

#include <p11-kit/pkcs11.h>
#include <time.h>

#include "p11/p11.h"

struct cs_p11 {
	void *module; /* of dlopen */
	CK_FUNCTION_LIST_PTR f;
	bool initialized, has_session, has_timer, logged_in;
	bool lost;
	unsigned doubts; /* since the last signature */
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE session;
	timer_t timer;
	int64_t call_us;
	struct cs_p11_token_info info;
};

struct cs_p11_key {
	CK_OBJECT_HANDLE handle;
	enum cs_alg alg;
	size_t raw_len; /* of every signature */
};

/** Before and after a C_ function. The second notes what rv says of the session, and returns it. */
void cs_p11_arm(struct cs_p11 *p);
CK_RV cs_p11_disarm(struct cs_p11 *p, CK_RV rv);

/** rv = P11_CALL(p, C_Sign, arguments…): one call under the deadline. */
#define P11_CALL(p, function, ...) \
	(cs_p11_arm(p), cs_p11_disarm((p), (p)->f->function(__VA_ARGS__)))

/** "CKR_DEVICE_ERROR"; "CKR_VENDOR_DEFINED" and the like for numbers without a name. Static. */
const char *cs_p11_rv_name(CK_RV rv);
/** What a return value says of the session. */
enum cs_p11_effect { CS_P11_FINE, CS_P11_DOUBT, CS_P11_LOST };
enum cs_p11_effect cs_p11_rv_effect(CK_RV rv);
/** CS_E_HSM: "what: CKR_…". */
enum cs_rc cs_p11_fail(struct cs_err *e, CK_RV rv, const char *what);

/** Objects of a class, by CKA_ID unless it is NULL. CS_E_TOO_LARGE when there are more than max. */
enum cs_rc cs_p11_objects(struct cs_p11 *p, CK_OBJECT_CLASS class, const struct cs_bytes *id,
			  CK_OBJECT_HANDLE *out, size_t max, size_t *countp,
			  struct cs_err *e) CS_MUST_CHECK;
/** One attribute into out, whose maximum holds. CS_E_NOT_FOUND when the object has none. */
enum cs_rc cs_p11_attribute(struct cs_p11 *p, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
			    struct cs_buf *out, struct cs_err *e) CS_MUST_CHECK;
/** An attribute of type CK_BBOOL; `absent` when the object has none. */
enum cs_rc cs_p11_flag(struct cs_p11 *p, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
		       bool absent, bool *out, struct cs_err *e) CS_MUST_CHECK;
/** The public key that a public-key object holds. CS_E_UNSUPPORTED when it is none of ours. */
enum cs_rc cs_p11_public_key(struct cs_p11 *p, CK_OBJECT_HANDLE object, struct cs_pk **pkp,
			     struct cs_err *e) CS_MUST_CHECK;
/** The public key beside a private key: the object of the same CKA_ID. */
enum cs_rc cs_p11_public_half(struct cs_p11 *p, struct cs_bytes cka_id, struct cs_pk **pkp,
			      struct cs_err *e) CS_MUST_CHECK;

/** DER of CKA_EC_PARAMS for a curve; empty for RSA. */
struct cs_bytes cs_p11_ec_params(enum cs_alg alg);

#endif
