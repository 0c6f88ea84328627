/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/options.h"

#include "common/arch.h"
#include "common/io.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define LONGEST_BUNDLE (16 << 20)
#define PLATFORM_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789_.-/"

static int take_policy(const struct fl_args *args, enum fl_get_policy *policy, struct fl_err *err)
{
	static const char *const names[] = { "missing", "always", "never" };
	const char *text = fl_args_text(args, "pull", "missing");

	for (size_t i = 0; i < FL_COUNT(names); i++)
		if (strcmp(names[i], text) == 0) {
			*policy = i;
			return 0;
		}
	return fl_err_set(err, FL_ERR_USAGE,
			  "option --pull: \"%s\" is not missing, always or never", text);
}

/* OS/ARCH[/VARIANT]. */
static int check_platform(const char *text, struct fl_err *err)
{
	size_t parts = 1;

	for (const char *at = text; *at; at++) {
		parts += *at == '/';
		if (*at == '/' && (at == text || at[1] == '/' || !at[1]))
			parts = 0;
	}
	if ((parts == 2 || parts == 3) && strspn(text, PLATFORM_LETTERS) == strlen(text))
		return 0;
	return fl_err_set(err, FL_ERR_USAGE, "option --platform: \"%s\" is not OS/ARCH or "
			  "OS/ARCH/VARIANT, such as linux/arm/v7", text);
}

/* libcurl would say of it no more than that it cannot be set, for each image anew. */
static int check_ca_file(const char *file, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	struct stat st;

	/* A pipe can be read once only. */
	if (!file || (stat(file, &st) == 0 && !S_ISREG(st.st_mode)))
		return 0;
	if (fl_io_read_file(AT_FDCWD, file, LONGEST_BUNDLE, &text, err) < 0)
		return fl_err_prefix(err, "option --ca-file");
	if (text.len && strstr(text.data, "-----BEGIN "))
		return 0;
	return fl_err_set(err, FL_ERR_INVALID, "option --ca-file: %s: has no certificate in it (PEM)", file);
}

int fl_options_registry(const struct fl_args *args, struct fl_registry_options *options,
			struct fl_err *err)
{
	uint64_t retries;

	if (fl_args_number(args, "retries", 0, 100, 3, &retries, err) < 0 ||
	    fl_args_size(args, "limit-rate", 0, &options->rate, err) < 0)
		return -1;
	options->retries = (unsigned)retries;
	if (fl_config_load(fl_args_text(args, "registries", NULL), &options->config, err) < 0)
		return -1;
	options->plain_http = fl_args_flag(args, "plain-http");
	options->ca_file = fl_args_text(args, "ca-file", NULL);
	if (check_ca_file(options->ca_file, err) < 0)
		return -1;
	options->credentials.auth_file = fl_args_text(args, "auth-file", NULL);
	options->credentials.helper_timeout_ms = options->config.helper_timeout_ms;
	options->verbose = fl_args_flag(args, "verbose");
	return 0;
}

int fl_options_get(const struct fl_args *args, struct fl_get_options *options,
		   struct fl_err *err)
{
	uint64_t parallel, pulls;

	if (take_policy(args, &options->policy, err) < 0 ||
	    fl_args_number(args, "parallel", 1, 64, 4, &parallel, err) < 0 ||
	    fl_args_number(args, "max-pulls", 1, 1024, 8, &pulls, err) < 0)
		return -1;
	options->platform = fl_arch_platform(fl_args_text(args, "platform", fl_arch_host()->platform));
	if (check_platform(options->platform, err) < 0)
		return -1;
	options->parallel = (unsigned)parallel;
	options->pulls = (unsigned)pulls;
	options->verify_key = fl_args_text(args, "verify-key", NULL);
	return fl_options_registry(args, &options->registry, err);
}
