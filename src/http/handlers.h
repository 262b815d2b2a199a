/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handlers of the route table: parse, call the core, say which status. Nothing is decided here.
 */
#ifndef CS_HTTP_HANDLERS_H
#define CS_HTTP_HANDLERS_H

#include "http/route.h"

cs_starter_fn cs_post_request;
cs_handler_fn cs_get_requests, cs_get_request, cs_get_document, cs_get_decisions, cs_post_decision,
	cs_post_cancel, cs_get_signature, cs_get_keys, cs_get_key, cs_get_events, cs_get_head,
	cs_get_health, cs_get_ready, cs_get_openapi;

#endif
