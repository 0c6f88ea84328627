/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Credential helpers: programs docker-credential-NAME that keep logins in a key ring or make
 * them anew. Their protocol: the verb as argument, input and output as bytes or JSON.
 *
 *     struct fl_helper helper = { .name = "pass", .timeout_ms = 30000 };
 *     fl_cleanup_json fl_json *login = NULL;
 *     int have = fl_helper_get(&helper, "127.0.0.1:5000", &login, err);
 */
#pragma once

#include "common/cancel.h"
#include "common/json.h"

struct fl_helper {
	const char *name; /* borrowed */
	int timeout_ms;
	const struct fl_cancel *cancel;
};

/* 1 and {"Username":…,"Secret":…} (caller owns it), 0 when the helper has none, or -1. */
int fl_helper_get(const struct fl_helper *helper, const char *server, fl_json **login,
		  struct fl_err *err);

int fl_helper_store(const struct fl_helper *helper, const char *server, const char *user,
		    const char *secret, struct fl_err *err);

/* What the helper does not have is fine. */
int fl_helper_erase(const struct fl_helper *helper, const char *server, struct fl_err *err);
