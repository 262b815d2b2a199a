/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames over a stream socket: u32 length (big-endian, of type and body), u8 type, body. With
 * deadlines. See docs/PROTOCOL.signer.
 */
#ifndef CS_BASE_FRAME_H
#define CS_BASE_FRAME_H

#include "base/buf.h"

#define CS_FRAME_MAX (4U << 20)

/** Send one frame before `deadline` (cs_clock_mono time; INT64_MAX for none). CS_E_TIMEOUT,
 * CS_E_CLOSED, CS_E_IO. */
enum cs_rc cs_frame_send(int fd, uint8_t type, struct cs_bytes body, int64_t deadline,
			 struct cs_err *e) CS_MUST_CHECK;
/** Receive one frame; body is reset first and must have been initialised with its maximum. */
enum cs_rc cs_frame_recv(int fd, uint8_t *typep, struct cs_buf *body, int64_t deadline,
			 struct cs_err *e) CS_MUST_CHECK;

/** Unix sockets. A path over 107 bytes is CS_E_CONFIG. Listening removes a stale socket that nobody
 * answers on. */
enum cs_rc cs_unix_listen(const char *path, unsigned mode, int *fdp,
			  struct cs_err *e) CS_MUST_CHECK;
enum cs_rc cs_unix_connect(const char *path, int *fdp, struct cs_err *e) CS_MUST_CHECK;
/** uid of the process at the other end (SO_PEERCRED). */
enum cs_rc cs_unix_peer_uid(int fd, unsigned *uidp, struct cs_err *e) CS_MUST_CHECK;

#endif
