/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What an operator says of registries, in a file of YAML (fl-pull(8), REGISTRIES FILE):
 * mirrors, certificates, and who may be spoken to without.
 *
 *     fl_cleanup_config struct fl_config config = { 0 };
 *     if (fl_config_load(NULL, &config, err) < 0) return -1;
 *     struct fl_host_config host = fl_config_host(&config, "127.0.0.1:5000");
 */
#pragma once

#include "common/json.h"

struct fl_config {
	fl_json *document;
	int helper_timeout_ms; /* 0: not said */
};

/* Of one host; all borrowed. */
struct fl_host_config {
	const fl_json *plain_http; /* NULL: not said */
	bool skip_verify;
	const char *ca_file, *cert_file, *key_file;
	const char *verify_key; /* its images must be signed with this one; NULL: need not */
	const fl_json *mirrors; /* "host[:port][/path]", the first goes first */
};

/* given, FL_REGISTRIES, or the user's or the host's file, which may be missing.
 * FL_ERR_INVALID with the file and the key, or the line, for what is not known. */
int fl_config_load(const char *given, struct fl_config *config, struct fl_err *err);
void fl_config_finish(struct fl_config *config);
#define fl_cleanup_config FL_CLEANUP(fl_config_finish)

struct fl_host_config fl_config_host(const struct fl_config *config, const char *host);
