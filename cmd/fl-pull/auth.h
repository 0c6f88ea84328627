/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The answer to a registry's challenge: a login as it is (RFC 7617), or a token that a token
 * server gives for it (the distribution project's token and OAuth 2 protocols).
 *
 *     struct fl_auth auth = { .http = http, .host = "127.0.0.1:5000", .name = "team/app" };
 *     if (fl_auth_answer(&auth, header_value, err) < 0) return -1;
 *     … send auth.header, and after another 401 ask again …
 *     fl_auth_finish(&auth);
 */
#pragma once

#include "cmd/fl-pull/credentials.h"
#include "common/http.h"

struct fl_auth {
	/* The caller's; all borrowed. */
	struct fl_http *http;
	const char *host;    /* whose login to look for */
	const char *name;    /* the repository; NULL: none, only log in */
	const char *actions; /* "pull", "pull,push" */
	bool is_plain;       /* the registry is spoken to without TLS */
	const struct fl_credentials_options *options;
	const struct fl_cancel *cancel;

	struct fl_credentials login; /* looked up at the first challenge, unless given */
	bool has_login, has_looked;
	char *header; /* "Authorization: …", or NULL */
};

/* Sets header. FL_ERR_UNAUTHENTICATED when no login is known and one is needed, or when the
 * token server does not take it. */
int fl_auth_answer(struct fl_auth *auth, const char *challenges, struct fl_err *err);

void fl_auth_finish(struct fl_auth *auth);
