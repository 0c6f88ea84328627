/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What is served over HTTP: flintlock's gateway on one endpoint, what watches the server
 * (/healthz, /readyz, /metrics, /machine) on it and on one of its own.
 *
 *     struct fl_web *web = fl_web_open(server, rpc, base, err);
 *     fl_web_close(web);
 */
#pragma once

#include "cmd/fl-serve/rpc/call.h"
#include "cmd/fl-serve/tls.h"

struct fl_server;
struct fl_web;

/* Listens on the endpoints that the server's configuration names. tls: see fl_http_open(). */
struct fl_web *fl_web_open(struct fl_server *server, struct fl_rpc *rpc, struct event_base *base,
			   struct fl_tls *const *tls, struct fl_err *err);
bool fl_web_is_idle(const struct fl_web *web);
void fl_web_close(struct fl_web *web); /* NULL is fine */
