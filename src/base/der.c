/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DigestInfo and Ecdsa-Sig-Value.
 * Must not encode what is out of range: an HSM's answer is input like any other.
 * See der.h for the contract.
 */
#include "base/der.h"

#include <assert.h>
#include <string.h>

#define DER_INTEGER 0x02
#define DER_SEQUENCE 0x30

/* Two halves of P-521, the largest curve that has a name in PKCS#11's raw form here. */
#define RAW_MAX (2 * 66)

#define PREFIX_LEN 19

/* RFC 8017 §9.2 note 1: the DER in front of the digest. */
static const uint8_t digest_info_prefix[][PREFIX_LEN] = {
	[CS_HASH_SHA256] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
			     0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20 },
	[CS_HASH_SHA384] = { 0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
			     0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30 },
	[CS_HASH_SHA512] = { 0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
			     0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40 },
};

size_t cs_der_digest_info(enum cs_hash h, const uint8_t *digest,
			  uint8_t out[static CS_DIGEST_INFO_MAX])
{
	assert(h != CS_HASH_NONE);

	memcpy(out, digest_info_prefix[h], PREFIX_LEN);
	memcpy(out + PREFIX_LEN, digest, cs_hash_len(h));
	return PREFIX_LEN + cs_hash_len(h);
}

/* A big-endian number without its leading zeros. */
static struct cs_bytes strip(const uint8_t *p, size_t len)
{
	while (len > 0 && *p == 0) {
		p++;
		len--;
	}
	return (struct cs_bytes){ p, len };
}

/* Length of the INTEGER's content: a high bit needs a zero in front, or it would be negative. */
static size_t integer_len(struct cs_bytes n)
{
	return n.len + (n.data[0] >= 0x80);
}

static void add_integer(struct cs_buf *out, struct cs_bytes n)
{
	cs_buf_add_u8(out, DER_INTEGER);
	cs_buf_add_u8(out, (uint8_t)integer_len(n));
	if (n.data[0] >= 0x80)
		cs_buf_add_u8(out, 0);
	cs_buf_add(out, n.data, n.len);
}

enum cs_rc cs_der_ecdsa_encode(struct cs_bytes raw, struct cs_buf *out, struct cs_err *e)
{
	struct cs_bytes r, s;
	size_t content;

	if (raw.len == 0 || raw.len % 2 != 0 || raw.len > RAW_MAX)
		return CS_FAIL(
			e, CS_E_INVALID,
			"raw ECDSA signature of %zu bytes; an even number up to %d is needed",
			raw.len, RAW_MAX);
	r = strip(raw.data, raw.len / 2);
	s = strip(raw.data + raw.len / 2, raw.len / 2);
	if (r.len == 0 || s.len == 0)
		return CS_FAIL(e, CS_E_INVALID, "raw ECDSA signature with a zero half");

	content = 2 + integer_len(r) + 2 + integer_len(s);
	cs_buf_add_u8(out, DER_SEQUENCE);
	if (content >= 0x80)
		cs_buf_add_u8(out, 0x81);
	cs_buf_add_u8(out, (uint8_t)content);
	add_integer(out, r);
	add_integer(out, s);
	return cs_buf_ok(out, "ECDSA signature", e);
}

/* Take one INTEGER from the front of *in and write it big-endian, padded to len bytes. */
static bool take_integer(struct cs_bytes *in, uint8_t *out, size_t len)
{
	struct cs_bytes n;

	if (in->len < 2 || in->data[0] != DER_INTEGER || in->data[1] > in->len - 2)
		return false;
	n = strip(in->data + 2, in->data[1]);
	in->len -= 2U + in->data[1];
	in->data += 2U + in->data[1];
	if (n.len > len)
		return false;
	memset(out, 0, len - n.len);
	memcpy(out + len - n.len, n.data, n.len);
	return true;
}

enum cs_rc cs_der_ecdsa_decode(struct cs_bytes der, size_t len, struct cs_buf *raw,
			       struct cs_err *e)
{
	uint8_t halves[RAW_MAX];
	struct cs_bytes in = der;
	struct cs_buf again;
	size_t header;
	bool same;

	assert(len > 0 && len % 2 == 0 && len <= RAW_MAX);

	/* loosely: writing it again and comparing is what makes it strict */
	header = der.len > 1 && der.data[1] == 0x81 ? 3 : 2;
	if (der.len < header)
		return CS_FAIL(e, CS_E_INVALID, "ECDSA signature of %zu bytes", der.len);
	in = (struct cs_bytes){ der.data + header, der.len - header };
	if (!take_integer(&in, halves, len / 2) || !take_integer(&in, halves + len / 2, len / 2))
		return CS_FAIL(e, CS_E_INVALID, "ECDSA signature: not two integers of its curve");
	cs_buf_init(&again, der.len);
	same = cs_der_ecdsa_encode((struct cs_bytes){ halves, len }, &again, NULL) == CS_OK &&
	       cs_bytes_equal(cs_buf_bytes(&again), der);
	cs_buf_done(&again);
	if (!same)
		return CS_FAIL(e, CS_E_INVALID, "ECDSA signature: not in DER");
	cs_buf_add(raw, halves, len);
	return cs_buf_ok(raw, "ECDSA signature", e);
}
