/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The token's own rate: what no signing server above it can exceed.
 */
#ifndef CS_SIGNER_MAIN_BENCH_H
#define CS_SIGNER_MAIN_BENCH_H

#include "signer-main/options.h"

/** Sign with one key from --children processes for --seconds; append one JSON line. */
enum cs_rc cs_bench(const struct cs_options *o, struct cs_buf *out, struct cs_err *e) CS_MUST_CHECK;

#endif
