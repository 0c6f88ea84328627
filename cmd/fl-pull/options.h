/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Options that several commands share, and what they mean.
 *
 *     static const struct fl_option get_options[] = { FL_GET_OPTIONS, { 0 } };
 *     if (fl_options_get(args, &options, err) < 0) return -1;
 */
#pragma once

#include "cmd/fl-pull/get.h"
#include "common/cli.h"
#include "common/progress.h"

#define FL_REGISTRY_OPTIONS                                                                    \
	{ "plain-http", 0, NULL, "speak HTTP to any host, not only to loopback" },             \
	{ "ca-file", 0, "FILE", "trust these certificates (PEM)" },                            \
	{ "auth-file", 0, "FILE", "where logins are (docker's and podman's files)" },          \
	{ "retries", 0, "N", "times to try again what was cut or met a passing fault (3)" },  \
	{ "limit-rate", 0, "SIZE", "bytes to take in per second, at most" },                   \
	{ "registries", 0, "FILE", "mirrors, certificates and more, by host (YAML)" }

#define FL_GET_OPTIONS                                                                         \
	{ "platform", 'p', "OS/ARCH[/VARIANT]", "the platform (this machine's)" },             \
	{ "pull", 0, "missing|always|never", "when images are fetched (missing)" },                           \
	{ "parallel", 'j', "N", "blobs to fetch at once (4)" },                                \
	{ "max-pulls", 0, "N", "pulls at once on this host (8)" },                             \
	FL_PROGRESS_OPTION,                                                                    \
	{ "verify-key", 0, "FILE", "take only what cosign signed with this public key (PEM)" }, \
	FL_REGISTRY_OPTIONS

/* What the options say points into args; fl_get_options_finish it. */
int fl_options_get(const struct fl_args *args, struct fl_get_options *options,
		   struct fl_err *err);

int fl_options_registry(const struct fl_args *args, struct fl_registry_options *options,
			struct fl_err *err);
