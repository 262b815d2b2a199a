/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a key that hung is left alone: longer each time, and never for good.
 * Must not decide whether it is the key's fault; keyring.c does. See hung_keys.h.
 */
#include "signer-main/hung_keys.h"

#include "base/clock.h"

#define FIRST_PAUSE (2 * CS_SECOND) /* each one after it is GROWTH times as long */
#define GROWTH 4
#define PAUSE_MAX (900 * CS_SECOND)
#define FORGET_AFTER (3600 * CS_SECOND)

static int64_t pause_of(unsigned times)
{
	int64_t pause = FIRST_PAUSE;

	while (--times > 0 && pause < PAUSE_MAX)
		pause *= GROWTH;
	return pause < PAUSE_MAX ? pause : PAUSE_MAX;
}

/** Its place; count when it is not there. */
static size_t index_of(const struct cs_hung_keys *h, const struct cs_sha256 *spki)
{
	size_t i = 0;

	while (i < h->count && !cs_sha256_equal(&h->list[i].spki, spki))
		i++;
	return i;
}

void cs_hung_keys_add(struct cs_hung_keys *h, const struct cs_sha256 *spki)
{
	const int64_t now = cs_clock_mono();
	const size_t i = index_of(h, spki);
	struct cs_hung_key *key = &h->list[i];

	if (i == CS_HUNG_KEYS_MAX)
		return;
	if (i == h->count)
		h->list[h->count++] = (struct cs_hung_key){ .spki = *spki };
	if (now - key->until > FORGET_AFTER)
		key->times = 0;
	key->times++;
	key->at = cs_clock_now();
	key->until = now + pause_of(key->times);
}

void cs_hung_keys_delay(struct cs_hung_keys *h, int64_t us)
{
	for (size_t i = 0; i < h->count; i++)
		h->list[i].until += us;
}

const struct cs_hung_key *cs_hung_keys_find(const struct cs_hung_keys *h,
					    const struct cs_sha256 *spki)
{
	const size_t i = index_of(h, spki);

	return i < h->count ? &h->list[i] : NULL;
}
