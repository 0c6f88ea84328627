/* SPDX-License-Identifier: MPL-2.0 */
/* grpc.health.v1.Health: serving until the server begins to stop. */
#include "cmd/fl-serve/server.h"
#include "cmd/fl-serve/services.h"

#include <stdlib.h>
#include <string.h>

/* Those who watch, linked, so that they can be told. */
struct watcher {
	struct fl_call *call;
	bool knows; /* the service that it asked for is one of ours */
	struct watcher *previous, *next;
};

static struct watcher *watchers;

static bool is_known(const struct fl_server *server, const char *service)
{
	return !service || !*service || fl_types_find_service(server->types, service);
}

static void answer(struct fl_call *call, const char *status)
{
	fl_cleanup_json fl_json *message = fl_json_new_object();

	fl_json_set(message, "status", fl_json_new_text(status));
	fl_call_send_json(call, message);
}

static const char *status_of(const struct fl_server *server)
{
	return server->stopping ? "NOT_SERVING" : "SERVING";
}

static void check(struct fl_call *call)
{
	const struct fl_server *server = fl_call_server(call);
	fl_cleanup_json fl_json *request = fl_call_request(call);

	if (!request)
		return;
	if (!is_known(server, fl_json_text(fl_json_get(request, "service")))) {
		fl_call_fail(call, FL_RPC_NOT_FOUND, "unknown service", NULL);
		return;
	}
	answer(call, status_of(server));
	fl_call_finish(call);
}

static void watch(struct fl_call *call)
{
	const struct fl_server *server = fl_call_server(call);
	fl_cleanup_json fl_json *request = fl_call_request(call);
	struct watcher *watcher;

	if (!request)
		return;
	watcher = fl_alloc_zero(1, sizeof(*watcher));
	watcher->call = call;
	watcher->knows = is_known(server, fl_json_text(fl_json_get(request, "service")));
	watcher->next = watchers;
	if (watchers)
		watchers->previous = watcher;
	watchers = watcher;
	*fl_call_user(call) = watcher;
	answer(call, watcher->knows ? status_of(server) : "SERVICE_UNKNOWN");
}

static void closed(struct fl_call *call)
{
	struct watcher *watcher = *fl_call_user(call);

	if (!watcher)
		return;
	if (watcher->previous)
		watcher->previous->next = watcher->next;
	else
		watchers = watcher->next;
	if (watcher->next)
		watcher->next->previous = watcher->previous;
	free(watcher);
}

void fl_health_changed(const struct fl_server *server)
{
	for (struct watcher *one = watchers; one; one = one->next) {
		if (one->knows)
			answer(one->call, status_of(server));
		if (server->stopping)
			fl_call_finish(one->call);
	}
}

const struct fl_rpc_handler fl_health_handlers[2] = {
	{ "/grpc.health.v1.Health/Check", check, NULL, NULL, true, false },
	{ "/grpc.health.v1.Health/Watch", watch, NULL, closed, true, false },
};
