/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The service as a whole: what it is told, what it holds, its life from the first listening
 * socket to the last answered call.
 *
 *     struct fl_server *server = fl_server_create(&config, err);
 *     int rc = fl_server_run(server, err);
 *     fl_server_free(server);
 */
#pragma once

#include "cmd/fl-serve/logging.h"
#include "cmd/fl-serve/tokens.h"
#include "cmd/fl-serve/vms/jobs.h"
#include "cmd/fl-serve/wire/types.h"
#include "common/state.h"

struct fl_config {
	const char *state_dir;
	const char *grpc_endpoint;
	const char *http_endpoint, *debug_endpoint; /* NULL: none */
	const char *local_endpoint; /* gRPC without TLS and token, for who may use the file; NULL: none */
	const char *token;      /* --basic-auth-token; NULL: none */
	const char *token_file; /* NULL: none */
	const char *cert, *key, *client_ca; /* NULL: none */
	bool insecure;          /* may listen beyond this machine without TLS and tokens */
	const char *bridge;     /* for interfaces that name none; NULL: none */
	const char *parent;     /* for macvtaps; NULL: none */
	const char *provider;   /* for specs that name none; NULL: the default */
	const char *accel, *qemu; /* for fl-run; NULL: its defaults */
	const char *image_roots; /* folders of which clients may name images; NULL: none */
	struct fl_logging log;
	unsigned jobs, most_retries;
	unsigned max_connections, max_connections_per_peer, max_streams;
	unsigned max_requests;    /* a second and address; 0: as many as they like */
	unsigned keepalive, idle; /* seconds; 0: never */
	/* What the configuration file says of the log's level now; NULL: what was said stays. */
	int (*reread_debug)(void *arg, bool *debug, struct fl_err *err);
	void *reread_arg;
};

/* What handlers see of it (fl_call_server). */
struct fl_server {
	const struct fl_config *config;
	struct fl_state state;
	struct fl_types *types;
	struct fl_tokens *tokens;
	struct fl_index *index;
	struct fl_jobs *jobs;
	struct fl_rate *rate;
	struct fl_watch *watches; /* calls that are told of changes */
	bool stopping;
	struct fl_server_inner *inner;
};

/* Whether the files that it names can be used. */
int fl_server_check(const struct fl_config *config, struct fl_err *err);

struct fl_server *fl_server_create(const struct fl_config *config, struct fl_err *err);

/* Serves until SIGTERM or SIGINT; calls that run then are finished. */
int fl_server_run(struct fl_server *server, struct fl_err *err);
void fl_server_free(struct fl_server *server); /* NULL is fine */
