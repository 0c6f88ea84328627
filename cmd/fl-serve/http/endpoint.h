/* SPDX-License-Identifier: MPL-2.0 */
/*
 * HTTP/1.1 on an address, in the clear or under TLS, over libevent's evhttp, with bounds on
 * what a client may send and how long it may take.
 *
 *     struct fl_http_endpoint *endpoint = fl_http_open(base, "localhost:8090", tls, &handler, err);
 *     static void take(void *arg, struct evhttp_request *request) { … }
 */
#pragma once

#include "cmd/fl-serve/rpc/call.h"
#include "cmd/fl-serve/tls.h"
#include "common/str.h"

struct evhttp_request;
struct fl_http_endpoint;

struct fl_http_handler {
	/* Answers it, now or later. */
	void (*take)(void *arg, struct evhttp_request *request);
	void *arg;
};

/* tls points at where the TLS to use is found at every new connection, since it may be read
 * again meanwhile; what it points at is NULL for none. */
struct fl_http_endpoint *fl_http_open(struct event_base *base, const char *address,
				      struct fl_tls *const *tls,
				      const struct fl_http_handler *handler, struct fl_err *err);
void fl_http_close(struct fl_http_endpoint *endpoint); /* NULL is fine */

/* Who asks; borrowed from the request. */
struct fl_rpc_who fl_http_who(struct evhttp_request *request);

/* A whole answer; the body is taken over, not copied, and empty afterwards. */
void fl_http_answer(struct evhttp_request *request, int status, const char *content_type,
		    struct fl_str *body);
