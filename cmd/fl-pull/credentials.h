/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The login for a repository, out of auth files and credential helpers.
 *
 *     fl_cleanup_credentials struct fl_credentials login = { 0 };
 *     int have = fl_credentials_find(&options, "127.0.0.1:5000", "team/app", &login, err);
 */
#pragma once

#include "cmd/fl-pull/secret.h"
#include "common/cancel.h"

#define FL_HELPER_TIMEOUT_MS 30000

struct fl_credentials_options {
	const char *auth_file; /* the only one to look at; NULL: the usual ones */
	int helper_timeout_ms; /* 0: FL_HELPER_TIMEOUT_MS */
	const struct fl_cancel *cancel;
};

/* Either user and password, or a token that a token server takes for a password, or one for
 * the registry itself. All owned; NULL when not given. */
struct fl_credentials {
	char *user, *password;
	char *identity_token;
	char *registry_token;
};

/* 1 found, 0 there is none, -1. name NULL: for the host as a whole. */
int fl_credentials_find(const struct fl_credentials_options *options, const char *host,
			const char *name, struct fl_credentials *found, struct fl_err *err);
void fl_credentials_finish(struct fl_credentials *credentials);
#define fl_cleanup_credentials FL_CLEANUP(fl_credentials_finish)

/* Writes a login that was seen to work, or takes it away: with the helper that the file
 * names, else into the file. path: where it is, caller frees. */
int fl_credentials_store(const struct fl_credentials_options *options, const char *host,
			 const struct fl_credentials *login, char **path, struct fl_err *err);
/* 1 done, 0 there was none, -1. */
int fl_credentials_erase(const struct fl_credentials_options *options, const char *host,
			 char **path, struct fl_err *err);
