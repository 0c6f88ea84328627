/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Who may do what: tokens, each with the namespaces and verbs that it is good for.
 *
 *     struct fl_tokens *tokens = fl_tokens_create();
 *     fl_tokens_add(tokens, token, "*", "*");
 *     fl_tokens_read(tokens, "/etc/flintlock/tokens", err);
 *     const struct fl_caller *caller = fl_tokens_check(tokens, authorization, err);
 *     if (!fl_caller_may(caller, FL_VERB_WRITE, "ns0")) ...
 *
 * A file has a line "TOKEN [NAMESPACES [VERBS]]" per token; lists are joined by commas, "*"
 * and nothing mean all; verbs are "read" and "write"; "#" begins a comment line.
 */
#pragma once

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

struct fl_tokens;
struct fl_caller;

enum fl_verb { FL_VERB_READ = 1, FL_VERB_WRITE = 2 };

struct fl_tokens *fl_tokens_create(void);
void fl_tokens_free(struct fl_tokens *tokens); /* NULL is fine */

/* namespaces and verbs as in a file; wrong verbs are FL_ERR_INVALID. */
int fl_tokens_add(struct fl_tokens *tokens, const char *token, const char *namespaces,
		  const char *verbs, struct fl_err *err);

/* Adds a file's; one that others may read, or that holds none, is refused. */
int fl_tokens_read(struct fl_tokens *tokens, const char *path, struct fl_err *err);

/* Takes fresh in the place of what is there. Callers that calls hold stay: with the rights that their
 * token has now, or revoked, with none. */
void fl_tokens_replace(struct fl_tokens *tokens, struct fl_tokens *fresh);

/* Without any token everyone may do everything. */
bool fl_tokens_are_wanted(const struct fl_tokens *tokens);

/* The one whose token "authorization" holds, as "Basic base64(token)" (flintlock's form) or
 * "Bearer token". NULL: FL_ERR_UNAUTHENTICATED. Takes the same time for every wrong one. */
const struct fl_caller *fl_tokens_check(const struct fl_tokens *tokens, const char *authorization,
					struct fl_err *err);

/* Its token is in the file no more. */
bool fl_caller_is_revoked(const struct fl_caller *caller);

/* caller NULL: no token was wanted. */
bool fl_caller_may(const struct fl_caller *caller, enum fl_verb verb, const char *name_space);
