/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between daemon and signer (signer/protocol.h). The first byte is the frame's type.
 */
#include "signer/protocol.h"

#include "fuzz/fuzz.h"

#define WRITE_BACK(kind)                                    \
	do {                                                \
		static struct cs_signer_##kind m;           \
		rc = cs_signer_##kind##_parse(in, &m, &e);  \
		if (rc == CS_OK) {                          \
			cs_buf_init(&out, CS_FRAME_MAX);    \
			cs_signer_##kind##_write(&m, &out); \
			fuzz_same(in, &out);                \
		} else {                                    \
			fuzz_refused(rc, &e);               \
		}                                           \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cs_bytes in;
	struct cs_err e = { 0 };
	struct cs_buf out;
	enum cs_rc rc;

	if (size == 0)
		return 0;
	in = (struct cs_bytes){ data + 1, size - 1 };
	if (data[0] == CS_MSG_HELLO)
		WRITE_BACK(hello);
	else if (data[0] == CS_MSG_SIGN)
		WRITE_BACK(sign);
	else if (data[0] == CS_MSG_RESULT)
		WRITE_BACK(result);
	else if (data[0] == CS_MSG_HEALTH)
		WRITE_BACK(health);
	return 0;
}
