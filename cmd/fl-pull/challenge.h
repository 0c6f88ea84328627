/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a registry asks for with status 401: "WWW-Authenticate: Bearer realm=…,service=…,
 * scope=…", or "Basic realm=…" (RFC 9110 section 11, RFC 6750, RFC 7617).
 *
 *     fl_cleanup_challenge struct fl_challenge challenge = { 0 };
 *     if (fl_challenge_parse(header_value, &challenge, err) < 0) return -1;
 *     if (challenge.is_bearer) ... challenge.realm.data
 */
#pragma once

#include "common/err.h"
#include "common/str.h"

struct fl_challenge {
	bool is_bearer; /* else basic */
	struct fl_str realm, service, scope; /* of bearer; empty when not given */
};

/* The strongest of the challenges in the header that can be answered: bearer, then basic.
 * FL_ERR_UNAUTHENTICATED when none can. */
int fl_challenge_parse(const char *header, struct fl_challenge *challenge, struct fl_err *err);
void fl_challenge_finish(struct fl_challenge *challenge);
#define fl_cleanup_challenge FL_CLEANUP(fl_challenge_finish)
