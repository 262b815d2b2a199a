/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames over a stream socket: u32 length (big-endian, of type and body), u8 type, body. With
 * deadlines. See docs/PROTOCOL.signer.
 */
#ifndef CS_BASE_FRAME_H
#define CS_BASE_FRAME_H

#include "base/buf.h"

#define CS_FRAME_MAX (4U << 20)

/**
 * Send one frame. After an error the stream is unusable: close it.
 *
 * @param deadline  cs_clock_mono time, or INT64_MAX for none
 * @return          CS_OK, CS_E_TOO_LARGE, CS_E_TIMEOUT, CS_E_CLOSED or CS_E_IO
 */
enum cs_rc cs_frame_send(int fd, uint8_t type, struct cs_bytes body, int64_t deadline,
			 struct cs_err *e) CS_MUST_CHECK;
/**
 * Append one frame to a buffer, so that several leave in one system call. What does not fit shows
 * in the buffer.
 */
void cs_frame_add(struct cs_buf *out, uint8_t type, struct cs_bytes body);
/** Send what cs_frame_add collected, like cs_frame_send; the buffer is empty afterwards. */
enum cs_rc cs_frame_send_added(int fd, struct cs_buf *out, int64_t deadline,
			       struct cs_err *e) CS_MUST_CHECK;
/**
 * Receive one frame. After an error the stream is unusable: close it.
 *
 * @param typep  set on success only
 * @param body   initialised with its maximum; reset first, empty after an error
 * @return       as above, and CS_E_INVALID for a frame without a type
 */
enum cs_rc cs_frame_recv(int fd, uint8_t *typep, struct cs_buf *body, int64_t deadline,
			 struct cs_err *e) CS_MUST_CHECK;

/** What was received of a stream and not yet taken: whole frames, and perhaps a part of one. */
struct cs_frame_in {
	struct cs_buf buf;
	size_t taken; /* bytes at its front that were taken */
	size_t body_max;
};

void cs_frame_in_init(struct cs_frame_in *in, size_t body_max);
void cs_frame_in_done(struct cs_frame_in *in);
/** Forget what was received, keep the storage: for the next stream. */
void cs_frame_in_reset(struct cs_frame_in *in);
/** A part of a frame is there, the rest must follow. Asked after CS_E_PENDING. */
bool cs_frame_in_has_begun(const struct cs_frame_in *in);
/**
 * Take the next frame without waiting: one that was received before, or else by receiving all that
 * is there. After an error but CS_E_PENDING the stream is unusable: close it.
 *
 * @param bodyp  borrowed until the next call
 * @return       CS_OK; CS_E_PENDING, without a message, when no whole frame is there yet; else as
 *               cs_frame_recv
 */
enum cs_rc cs_frame_next(struct cs_frame_in *in, int fd, uint8_t *typep, struct cs_bytes *bodyp,
			 struct cs_err *e) CS_MUST_CHECK;
/** Wait until fd can be read or has ended. CS_OK, CS_E_TIMEOUT or CS_E_IO. */
enum cs_rc cs_frame_wait(int fd, int64_t deadline, struct cs_err *e) CS_MUST_CHECK;

/**
 * Look for the first frame in bytes that were received, for who reads as much as there is.
 *
 * @param max    the longest body that is taken
 * @param bodyp  borrowed from `in`
 * @param usedp  length of the frame, header and body; 0 while it is not whole
 * @return       CS_OK; CS_E_INVALID or CS_E_TOO_LARGE as soon as the header says so
 */
enum cs_rc cs_frame_take(struct cs_bytes in, size_t max, uint8_t *typep, struct cs_bytes *bodyp,
			 size_t *usedp, struct cs_err *e) CS_MUST_CHECK;

/**
 * Listen on a Unix socket. A stale one that nobody answers on is removed; a living one is
 * CS_E_CONFLICT; a path over 107 bytes is CS_E_CONFIG.
 *
 * @param mode  permissions of the socket's file, from its first moment on
 */
enum cs_rc cs_unix_listen(const char *path, unsigned mode, int *fdp,
			  struct cs_err *e) CS_MUST_CHECK;
/** CS_E_UNAVAILABLE when nobody listens or the listener's queue is full; never waits. */
enum cs_rc cs_unix_connect(const char *path, int *fdp, struct cs_err *e) CS_MUST_CHECK;
/** uid of the process at the other end (SO_PEERCRED). */
enum cs_rc cs_unix_peer_uid(int fd, unsigned *uidp, struct cs_err *e) CS_MUST_CHECK;

#endif
