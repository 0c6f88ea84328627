/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/credentials.h"

#include "cmd/fl-pull/authfile.h"
#include "cmd/fl-pull/helper.h"
#include "cmd/fl-pull/host.h"
#include "common/base64.h"

/* What helpers give as user when the secret is an identity token. */
#define TOKEN_USER "<token>"

void fl_credentials_finish(struct fl_credentials *credentials)
{
	fl_secret_free(credentials->user);
	fl_secret_free(credentials->password);
	fl_secret_free(credentials->identity_token);
	fl_secret_free(credentials->registry_token);
	*credentials = (struct fl_credentials){ 0 };
}

static char *copy(const char *text)
{
	return text && *text ? fl_strdup(text) : NULL;
}

static struct fl_helper helper_of(const struct fl_credentials_options *options, const char *name)
{
	int timeout = options->helper_timeout_ms;

	return (struct fl_helper){ .name = name, .cancel = options->cancel,
				   .timeout_ms = timeout ? timeout : FL_HELPER_TIMEOUT_MS };
}

static int ask_helper(const struct fl_credentials_options *options, const char *name,
		      const char *host, struct fl_credentials *found, struct fl_err *err)
{
	struct fl_helper helper = helper_of(options, name);
	fl_cleanup_json fl_json *login = NULL;
	int have = fl_helper_get(&helper, fl_host_docker_key(host), &login, err);
	const char *user = fl_json_text(fl_json_get(login, "Username"));
	const char *secret = fl_json_text(fl_json_get(login, "Secret"));

	if (have != 1)
		return have;
	if (strcmp(user, TOKEN_USER) == 0) {
		found->identity_token = copy(secret);
		return 1;
	}
	found->user = fl_strdup(user);
	found->password = fl_strdup(secret);
	return 1;
}

/* "auth" is base 64 of user:password; docker once ended the password with NULs. */
static int take_auth(const char *auth, struct fl_credentials *found)
{
	fl_cleanup_secret struct fl_str both = FL_STR_INIT;
	const char *colon;

	fl_str_reserve(&both, strlen(auth) + 1);
	if (!fl_base64_decode(auth, &both))
		return -1;
	colon = strchr(both.data, ':');
	if (!colon || colon == both.data)
		return -1;
	found->user = fl_strndup(both.data, (size_t)(colon - both.data));
	found->password = fl_strdup(colon + 1);
	return 0;
}

/* 1, 0 when the entry says nothing of a login (as beside a helper), or -1. */
static int take_entry(const fl_json *entry, struct fl_credentials *found)
{
	const char *auth = fl_json_text(fl_json_get(entry, "auth"));
	const char *user = fl_json_text(fl_json_get(entry, "username"));
	const char *password = fl_json_text(fl_json_get(entry, "password"));

	found->identity_token = copy(fl_json_text(fl_json_get(entry, "identitytoken")));
	found->registry_token = copy(fl_json_text(fl_json_get(entry, "registrytoken")));
	if (user && password && *user) {
		found->user = fl_strdup(user);
		found->password = fl_strdup(password);
		return 1;
	}
	if (auth && *auth && take_auth(auth, found) < 0 && !found->identity_token)
		return -1;
	return found->user || found->identity_token || found->registry_token;
}

static int look_into(const char *path, const struct fl_credentials_options *options,
		     const char *host, const char *name, struct fl_credentials *found,
		     struct fl_err *err)
{
	fl_cleanup_json fl_json *file = fl_authfile_read(path, err);
	const char *own = fl_authfile_own_helper(file, host);
	const char *store = fl_authfile_store_helper(file);
	int have;

	if (!file)
		return -1;
	if (own)
		return ask_helper(options, own, host, found, err);
	have = take_entry(fl_authfile_entry(file, host, name, NULL), found);
	if (have < 0)
		return fl_err_set(err, FL_ERR_INVALID, "\"auth\" of %s is not base 64 of "
				  "user:password; log in again", host);
	if (have || !store)
		return have;
	return ask_helper(options, store, host, found, err);
}

int fl_credentials_find(const struct fl_credentials_options *options, const char *host,
			const char *name, struct fl_credentials *found, struct fl_err *err)
{
	fl_cleanup_authfile_paths struct fl_authfile_paths paths = { 0 };
	int have = 0;

	fl_authfile_list(options->auth_file, &paths);
	for (size_t i = 0; i < paths.count && have == 0; i++) {
		have = look_into(paths.items[i], options, host, name, found, err);
		if (have < 0)
			fl_err_prefix(err, "%s", paths.items[i]);
	}
	return have;
}

/* The helper that keeps the host's login for this file; NULL: the file does. */
static char *keeper(const char *path, const char *host, struct fl_err *err)
{
	fl_cleanup_json fl_json *file = fl_authfile_read(path, err);
	const char *own = fl_authfile_own_helper(file, host);

	return copy(own ? own : fl_authfile_store_helper(file));
}

static fl_json *entry_of(const struct fl_credentials *login)
{
	fl_cleanup_secret struct fl_str both = FL_STR_INIT, auth = FL_STR_INIT;
	fl_json *entry = fl_json_new_object();

	fl_str_addf(&both, "%s:%s", login->user, login->password);
	fl_base64_encode(both.data, both.len, &auth);
	fl_json_set(entry, "auth", fl_json_new_text(auth.data));
	return entry;
}

int fl_credentials_store(const struct fl_credentials_options *options, const char *host,
			 const struct fl_credentials *login, char **path, struct fl_err *err)
{
	fl_cleanup_free char *name = NULL;
	struct fl_helper helper;

	*path = fl_authfile_for_login(options->auth_file, err);
	if (!*path)
		return -1;
	name = keeper(*path, host, err);
	if (!name)
		return fl_authfile_set(*path, host, entry_of(login), err);
	helper = helper_of(options, name);
	if (fl_helper_store(&helper, fl_host_docker_key(host), login->user, login->password,
			    err) < 0)
		return -1;
	/* An empty entry says that the helper has one. */
	return fl_authfile_set(*path, host, fl_json_new_object(), err);
}

int fl_credentials_erase(const struct fl_credentials_options *options, const char *host,
			 char **path, struct fl_err *err)
{
	fl_cleanup_json fl_json *file = NULL;
	fl_cleanup_free char *name = NULL;
	bool had;

	*path = fl_authfile_for_login(options->auth_file, err);
	file = *path ? fl_authfile_read(*path, err) : NULL;
	if (!file)
		return -1;
	had = fl_authfile_entry(file, host, NULL, NULL);
	name = keeper(*path, host, NULL);
	if (name) {
		struct fl_helper helper = helper_of(options, name);

		if (fl_helper_erase(&helper, fl_host_docker_key(host), err) < 0)
			return -1;
	}
	if (had && fl_authfile_set(*path, host, NULL, err) < 0)
		return -1;
	return had || name;
}
