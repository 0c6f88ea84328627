/* SPDX-License-Identifier: MPL-2.0 */
/*
 * "WWW-Authenticate: Bearer realm=…,service=…,scope=…" (RFC 6750, RFC 9110 section 11).
 *
 *     fl_challenge_token_url(header_value, "library/debian", &url, err);
 */
#pragma once

#include "common/err.h"
#include "common/str.h"

/* The address that gives a token to read the repository name. FL_ERR_UNAUTHENTICATED when
 * the challenge asks for something else than a bearer token. */
int fl_challenge_token_url(const char *header, const char *name, struct fl_str *url,
			   struct fl_err *err);
