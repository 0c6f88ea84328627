/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/http/observe.h"

#include "cmd/fl-serve/http/endpoint.h"
#include "cmd/fl-serve/http/gateway.h"
#include "cmd/fl-serve/http/metrics.h"
#include "cmd/fl-serve/http/scrape.h"
#include "cmd/fl-serve/server.h"
#include "common/alloc.h"

#include <event2/http.h>
#include <stdlib.h>
#include <string.h>

#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define AT_ONCE 8 /* each has a thread */

struct look {
	struct fl_observer *observer;
	struct look *previous, *next;
	struct fl_scrape *scrape;
	struct evhttp_request *request; /* NULL: the client has left */
};

struct fl_observer {
	struct fl_server *server;
	struct fl_rpc *rpc;
	struct event_base *base;
	struct look *looks;
	size_t count;
	struct fl_samples samples;
};

struct fl_observer *fl_observer_create(struct fl_server *server, struct fl_rpc *rpc,
				       struct event_base *base)
{
	struct fl_observer *observer = fl_alloc_zero(1, sizeof(*observer));

	*observer = (struct fl_observer){ .server = server, .rpc = rpc, .base = base };
	return observer;
}

static void unlink_look(struct fl_observer *observer, struct look *look)
{
	if (look->previous)
		look->previous->next = look->next;
	else
		observer->looks = look->next;
	if (look->next)
		look->next->previous = look->previous;
	observer->count--;
}

/* Of one that is in no list any more. */
static void look_free(struct look *look)
{
	if (look->request)
		evhttp_connection_set_closecb(evhttp_request_get_connection(look->request), NULL,
					      NULL);
	free(look);
}

void fl_observer_destroy(struct fl_observer *observer)
{
	struct look *look;

	if (!observer)
		return;
	while ((look = observer->looks)) {
		observer->looks = look->next;
		fl_scrape_abandon(look->scrape);
		look_free(look);
	}
	fl_samples_finish(&observer->samples);
	free(observer);
}

static void on_close(struct evhttp_connection *connection, void *arg)
{
	struct look *look = arg;

	(void)connection;
	look->request = NULL;
}

static void done(void *arg, struct fl_str *text)
{
	struct look *look = arg;

	if (look->request)
		fl_http_answer(look->request, HTTP_OK, CONTENT_TYPE, text);
	unlink_look(look->observer, look);
	look_free(look);
}

static void start(struct fl_observer *observer, struct evhttp_request *request,
		  struct fl_scrape *scrape)
{
	struct look *look = fl_alloc_zero(1, sizeof(*look));

	*look = (struct look){ .observer = observer, .next = observer->looks, .scrape = scrape,
			       .request = request };
	if (look->next)
		look->next->previous = look;
	observer->looks = look;
	observer->count++;
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_close, look);
	fl_scrape_start(scrape, observer->base, done, look);
}

bool fl_observer_is_idle(const struct fl_observer *observer)
{
	return !observer->looks;
}

static bool is_free(const struct fl_observer *observer, struct evhttp_request *request)
{
	if (observer->count < AT_ONCE)
		return true;
	fl_gateway_refuse(request, FL_RPC_UNAVAILABLE,
			  "enough others ask for metrics now; try again later");
	return false;
}

/* Of a namespace and a name, where "" is any. How many. */
static size_t add_range(struct fl_observer *observer, const char *name_space, const char *name,
			const struct fl_caller *caller, struct fl_scrape *scrape)
{
	struct fl_index *index = observer->server->index;
	size_t from, to, count = 0;

	fl_index_range(index, name_space, name, &from, &to);
	for (; from < to; from++) {
		struct fl_index_entry *entry = fl_index_at(index, from);

		if (!fl_caller_may(caller, FL_VERB_READ, entry->name_space))
			continue;
		fl_index_load(index, entry, NULL);
		fl_scrape_add(scrape, entry);
		count++;
	}
	return count;
}

void fl_observer_metrics(struct fl_observer *observer, struct evhttp_request *request,
			 const struct fl_caller *caller)
{
	struct fl_scrape *scrape;

	if (!is_free(observer, request))
		return;
	fl_index_refresh(observer->server->index);
	scrape = fl_scrape_new(&observer->server->state, &observer->samples);
	fl_server_metrics(observer->server, observer->rpc, fl_scrape_head(scrape));
	fl_scrape_add_pools(scrape);
	add_range(observer, "", "", caller, scrape);
	start(observer, request, scrape);
}

static size_t add_uid(struct fl_observer *observer, const char *uid,
		      const struct fl_caller *caller, struct fl_scrape *scrape)
{
	struct fl_index_entry *entry = fl_index_find(observer->server->index, uid);

	if (!entry || !fl_caller_may(caller, FL_VERB_READ, entry->name_space))
		return 0;
	fl_index_load(observer->server->index, entry, NULL);
	fl_scrape_add(scrape, entry);
	return 1;
}

static size_t add_named(struct fl_observer *observer, const char *path,
			const struct fl_caller *caller, struct fl_scrape *scrape)
{
	fl_cleanup_free char *name_space = NULL;
	const char *slash;

	path += *path == '/';
	slash = strchr(path, '/');
	if (fl_str_starts(path, "uid/"))
		return add_uid(observer, path + 4, caller, scrape);
	name_space = slash ? fl_strndup(path, (size_t)(slash - path)) : fl_strdup(path);
	return add_range(observer, name_space, slash ? slash + 1 : "", caller, scrape);
}

void fl_observer_machine(struct fl_observer *observer, struct evhttp_request *request,
			 const char *path, const struct fl_caller *caller)
{
	struct fl_scrape *scrape;
	bool is_all = !*path || strcmp(path, "/") == 0;

	if (!is_free(observer, request))
		return;
	fl_index_refresh(observer->server->index);
	scrape = fl_scrape_new(&observer->server->state, &observer->samples);
	if (add_named(observer, path, caller, scrape) || is_all) {
		start(observer, request, scrape);
		return;
	}
	fl_scrape_discard(scrape);
	fl_gateway_refuse(request, FL_RPC_NOT_FOUND, "there is no such microVM");
}
