/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Requests for metrics: "/metrics" of the server and all microVMs, "/machine/…" of some, as
 * flintlock-metrics has it: /machine, /machine/NAMESPACE, /machine/NAMESPACE/NAME,
 * /machine/uid/UID.
 *
 *     struct fl_observer *observer = fl_observer_create(server, rpc, base);
 *     fl_observer_metrics(observer, request, caller);
 *     fl_observer_machine(observer, request, "/ns0/mvm0", caller);
 */
#pragma once

#include "cmd/fl-serve/rpc/call.h"

struct evhttp_request;
struct fl_caller;
struct fl_observer;
struct fl_server;

struct fl_observer *fl_observer_create(struct fl_server *server, struct fl_rpc *rpc,
				       struct event_base *base);
void fl_observer_destroy(struct fl_observer *observer); /* NULL is fine */

/* Whether nobody waits for an answer. */
bool fl_observer_is_idle(const struct fl_observer *observer);

/* They answer when the microVMs have. caller NULL: no token was wanted. */
void fl_observer_metrics(struct fl_observer *observer, struct evhttp_request *request,
			 const struct fl_caller *caller);

/* path: what stands behind "/machine". */
void fl_observer_machine(struct fl_observer *observer, struct evhttp_request *request,
			 const char *path, const struct fl_caller *caller);
