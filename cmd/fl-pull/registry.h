/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A repository in a registry, over HTTP. Format: OCI distribution specification.
 *
 *     struct fl_registry registry;
 *     fl_registry_init(&registry, "127.0.0.1:5000", "debian", &options, cancel);
 *     fl_registry_manifest(&registry, "12", &text, err);
 *     fl_registry_finish(&registry);
 */
#pragma once

#include "cmd/fl-pull/auth.h"
#include "cmd/fl-pull/config.h"
#include "common/cancel.h"
#include "common/http.h"
#include "common/str.h"

struct fl_registry_options {
	bool plain_http;     /* for any host; loopback is tried over plain HTTP by itself */
	const char *ca_file; /* NULL: the system's; borrowed */
	struct fl_credentials_options credentials;
	struct fl_config config; /* owned */
	unsigned retries;
	uint64_t rate; /* bytes per second; 0: no limit */
	bool verbose;
};
void fl_registry_options_finish(struct fl_registry_options *options);
#define fl_cleanup_registry_options FL_CLEANUP(fl_registry_options_finish)

struct fl_registry {
	struct fl_http *http;
	char *base; /* "https://host/v2/name" */
	char *no_proxy;
	struct fl_auth auth;
	const struct fl_cancel *cancel;
};

/* name NULL: the registry as a whole. All must outlive it. */
void fl_registry_init(struct fl_registry *registry, const char *host, const char *name,
		      const struct fl_registry_options *options, const struct fl_cancel *cancel);
void fl_registry_finish(struct fl_registry *registry);
#define fl_cleanup_registry FL_CLEANUP(fl_registry_finish)

/* Runs one transfer, with the login or token that the registry wants and one more header (or
 * NULL). Any status but 401 is success here. */
int fl_registry_ask(struct fl_registry *registry, struct fl_http_transfer *transfer,
		    const char *header, struct fl_err *err);

/* The bytes of a manifest or index by tag or digest. FL_ERR_NOT_FOUND,
 * FL_ERR_UNAUTHENTICATED, FL_ERR_UNAVAILABLE … by name. */
int fl_registry_manifest(struct fl_registry *registry, const char *tag_or_digest,
			 struct fl_str *text, struct fl_err *err);

/* The registry's index of what refers to a manifest; FL_ERR_NOT_FOUND when it keeps none. */
int fl_registry_referrers(struct fl_registry *registry, const char *digest, struct fl_str *text,
			  struct fl_err *err);

/* Asks the registry whether it takes the login, which registry->auth gets; the reference
 * may lack a name. */
int fl_registry_check_login(struct fl_registry *registry, struct fl_err *err);

/* The bytes of a small blob; not verified. */
int fl_registry_small_blob(struct fl_registry *registry, const char *digest, struct fl_str *text,
			   struct fl_err *err);

/* A transfer of a blob, ready for fl_registry_run; the caller sets write, arg, limit. */
void fl_registry_prepare_blob(const struct fl_registry *registry, const char *digest,
			      struct fl_http_transfer *transfer);
void fl_registry_finish_blob(struct fl_http_transfer *transfer);

/* Runs the transfers of blobs, at most parallel at once; any status but 200 is an error. */
int fl_registry_run(struct fl_registry *registry, struct fl_http_transfer *transfers,
		    size_t count, unsigned parallel, struct fl_err *err);
