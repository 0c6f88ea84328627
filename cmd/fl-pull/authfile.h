/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The files in which docker and podman keep logins (containers-auth.json(5), docker's
 * config.json): {"auths":{HOST:{"auth":…}},"credHelpers":{HOST:NAME},"credsStore":NAME}.
 *
 *     struct fl_authfile_paths paths = { 0 };
 *     fl_authfile_list(NULL, &paths);
 *     fl_json *file = fl_authfile_read(paths.items[0], err);
 *     const fl_json *entry = fl_authfile_entry(file, "127.0.0.1:5000", "team/app");
 *     fl_authfile_paths_finish(&paths);
 */
#pragma once

#include "common/json.h"
#include "common/vec.h"

struct fl_authfile_paths {
	char **items;
	size_t count, space;
};

/* Where logins are looked for, in this order; given (or REGISTRY_AUTH_FILE) is the only one
 * when there is such. */
void fl_authfile_list(const char *given, struct fl_authfile_paths *paths);
void fl_authfile_paths_finish(struct fl_authfile_paths *paths);
#define fl_cleanup_authfile_paths FL_CLEANUP(fl_authfile_paths_finish)

/* Where a new login is written; caller frees. NULL: nowhere, with err. */
char *fl_authfile_for_login(const char *given, struct fl_err *err);

/* A file that does not exist is an empty one. Caller owns it; it holds secrets. */
fl_json *fl_authfile_read(const char *path, struct fl_err *err);

/* The member of "auths" whose key says most of host/name, and how it is spelled there;
 * borrowed. name NULL: the host's alone. NULL: none. */
fl_json *fl_authfile_entry(const fl_json *file, const char *host, const char *name,
			   const char **key);

/* The helper of the host, or of all ("credsStore"); borrowed, NULL: none. */
const char *fl_authfile_own_helper(const fl_json *file, const char *host);
const char *fl_authfile_store_helper(const fl_json *file);

/* Sets (or with NULL removes) the entry of a host, all others left as they are: written
 * aside and renamed, mode 0600. Takes entry. */
int fl_authfile_set(const char *path, const char *host, fl_json *entry, struct fl_err *err);
