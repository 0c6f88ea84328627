/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/login.h"

#include "cmd/fl-pull/authfile.h"
#include "cmd/fl-pull/host.h"
#include "cmd/fl-pull/options.h"
#include "common/io.h"
#include "common/log.h"
#include "common/reference.h"

#include <stdio.h>
#include <termios.h>

#define LOGIN_LIMIT (64 << 10)

const struct fl_option fl_login_options[] = {
	{ "username", 'u', "USER", "the user's name (asked for on a terminal)" },
	{ "password-stdin", 0, NULL, "read the password, or token, from standard input" },
	FL_REGISTRY_OPTIONS,
	{ 0 },
};

const struct fl_option fl_logout_options[] = {
	{ "auth-file", 0, "FILE", "where logins are (docker's and podman's files)" },
	{ 0 },
};

/* A host that a reference could have. */
static int check_host(const char *text, struct fl_reference *reference, struct fl_err *err)
{
	fl_cleanup_free char *host = fl_host_normal(text);
	fl_cleanup_free char *image = fl_asprintf("%s/x", host);

	if (fl_reference_parse(image, reference, NULL) < 0)
		return fl_err_set(err, FL_ERR_USAGE, "\"%s\" is not a registry's host", text);
	if (strchr(host, '/'))
		return fl_err_set(err, FL_ERR_USAGE, "\"%s\": a login is for a whole host, here %.*s", text,
				  (int)strcspn(host, "/"), host);
	if (strcmp(reference->host, host) != 0)
		return fl_err_set(err, FL_ERR_USAGE, "\"%s\" is not a registry's host: it needs a dot, "
				  "a port, or to be \"localhost\"", text);
	return 0;
}

/* Without its line's end. Reserved at once, so that growing leaves no copies. */
static int read_secret(struct fl_str *secret, struct fl_err *err)
{
	fl_str_reserve(secret, LOGIN_LIMIT + 1);
	if (fl_io_read_all(STDIN_FILENO, LOGIN_LIMIT, secret, "standard input", err) < 0)
		return -1;
	while (secret->len && strchr("\r\n", secret->data[secret->len - 1]))
		secret->data[--secret->len] = 0;
	return 0;
}

/* One line from the terminal; with hidden, it is not shown. */
static int ask(const char *question, bool hidden, struct fl_str *answer, struct fl_err *err)
{
	struct termios shown, quiet;
	int rc = 1;
	char c;

	if (tcgetattr(STDIN_FILENO, &shown) < 0)
		return fl_err_set(err, FL_ERR_USAGE, "standard input is not a terminal: use -u USER "
				  "--password-stdin");
	fprintf(stderr, "%s: ", question);
	quiet = shown;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	if (hidden)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	fl_str_reserve(answer, LOGIN_LIMIT);
	while (answer->len < LOGIN_LIMIT && (rc = fl_cancel_wait(NULL, STDIN_FILENO, -1, err)) > 0 &&
	       read(STDIN_FILENO, &c, 1) == 1 && c != '\n')
		fl_str_add_bytes(answer, &c, 1);
	if (hidden) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
		fputc('\n', stderr);
	}
	return rc < 0 ? -1 : 0;
}

static int take_login(const struct fl_args *args, struct fl_credentials *login,
		      struct fl_err *err)
{
	fl_cleanup_secret struct fl_str user = FL_STR_INIT, password = FL_STR_INIT;
	const char *given = fl_args_text(args, "username", NULL);
	bool from_stdin = fl_args_flag(args, "password-stdin");
	int rc;

	if (from_stdin && !given)
		return fl_err_set(err, FL_ERR_USAGE, "--password-stdin needs -u USER");
	fl_str_add(&user, given ? given : "");
	if (!given && ask("User", false, &user, err) < 0)
		return -1;
	rc = from_stdin ? read_secret(&password, err) : ask("Password", true, &password, err);
	if (rc < 0)
		return -1;
	if (!user.len || strchr(user.data, ':'))
		return fl_err_set(err, FL_ERR_USAGE, "a user's name is not empty and has no colon");
	if (!password.len || strlen(password.data) != password.len)
		return fl_err_set(err, FL_ERR_USAGE, "the password is empty, or has a NUL");
	login->user = fl_strdup(user.data);
	login->password = fl_strdup(password.data);
	return 0;
}

/* The registry itself is asked before anything is written. */
static int check(const struct fl_reference *reference, const struct fl_registry_options *options,
		 struct fl_credentials *login, struct fl_err *err)
{
	fl_cleanup_registry struct fl_registry registry = { 0 };
	int rc;

	fl_registry_init(&registry, reference->host, NULL, options, NULL);
	registry.auth.login = *login;
	registry.auth.has_login = registry.auth.has_looked = true;
	rc = fl_registry_check_login(&registry, err);
	if (rc == 0 && !registry.auth.header)
		fl_log(FL_LOG_WARN, "%s did not ask for a login; whether this one is right is unknown",
		       reference->host);
	registry.auth.login = (struct fl_credentials){ 0 };
	return rc;
}

int fl_login(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_registry_options struct fl_registry_options options = { 0 };
	fl_cleanup_reference struct fl_reference reference = { 0 };
	fl_cleanup_credentials struct fl_credentials login = { 0 };
	fl_cleanup_free char *path = NULL;

	if (fl_options_registry(args, &options, err) < 0 ||
	    check_host(args->operands.items[0], &reference, err) < 0 ||
	    take_login(args, &login, err) < 0 || check(&reference, &options, &login, err) < 0 ||
	    fl_credentials_store(&options.credentials, reference.host, &login, &path, err) < 0)
		return -1;
	fl_log(FL_LOG_INFO, "logged in to %s; %s says so", reference.host, path);
	return 0;
}

/* Other files may let the host be reached all the same. */
static void tell_of_others(const char *auth_file, const char *done, const char *host)
{
	fl_cleanup_authfile_paths struct fl_authfile_paths paths = { 0 };

	fl_authfile_list(auth_file, &paths);
	for (size_t i = 0; i < paths.count; i++) {
		fl_cleanup_json fl_json *file = fl_authfile_read(paths.items[i], NULL);

		if (strcmp(paths.items[i], done) != 0 &&
		    (fl_authfile_entry(file, host, NULL, NULL) || fl_authfile_own_helper(file, host)))
			fl_log(FL_LOG_WARN, "%s has a login for %s too", paths.items[i], host);
	}
}

int fl_logout(struct fl_args *args, struct fl_err *err)
{
	struct fl_credentials_options options = {
		.auth_file = fl_args_text(args, "auth-file", NULL),
	};
	fl_cleanup_reference struct fl_reference reference = { 0 };
	fl_cleanup_free char *path = NULL;
	int had;

	if (check_host(args->operands.items[0], &reference, err) < 0)
		return -1;
	had = fl_credentials_erase(&options, reference.host, &path, err);
	if (had < 0)
		return -1;
	fl_log(FL_LOG_INFO, had ? "logged out of %s" : "there was no login for %s", reference.host);
	tell_of_others(options.auth_file, path, reference.host);
	return 0;
}
