/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/http/web.h"

#include "cmd/fl-serve/http/endpoint.h"
#include "cmd/fl-serve/http/gateway.h"
#include "cmd/fl-serve/http/observe.h"
#include "cmd/fl-serve/rpc/transport.h"
#include "cmd/fl-serve/server.h"
#include "common/alloc.h"

#include <event2/http.h>
#include <stdlib.h>
#include <string.h>

struct fl_web {
	struct fl_server *server;
	struct fl_rpc *rpc;
	struct fl_gateway *gateway;
	struct fl_observer *observer;
	struct fl_http_endpoint *api, *debug;
};

/* rest: what stands behind the page's path. */
struct page {
	const char *path;
	bool has_rest, is_open;
	void (*show)(struct fl_web *web, struct evhttp_request *request, const char *rest,
		     const struct fl_caller *caller);
};

static void say(struct evhttp_request *request, int status, const char *text)
{
	fl_cleanup_str struct fl_str body = FL_STR_INIT;

	fl_str_add(&body, text);
	fl_http_answer(request, status, "text/plain; charset=utf-8", &body);
}

static void show_health(struct fl_web *web, struct evhttp_request *request, const char *rest,
			const struct fl_caller *caller)
{
	(void)web;
	(void)rest;
	(void)caller;
	say(request, HTTP_OK, "ok\n");
}

static void show_ready(struct fl_web *web, struct evhttp_request *request, const char *rest,
		       const struct fl_caller *caller)
{
	(void)rest;
	(void)caller;
	if (web->server->stopping)
		say(request, HTTP_SERVUNAVAIL, "stopping\n");
	else
		say(request, HTTP_OK, "ok\n");
}

static void show_metrics(struct fl_web *web, struct evhttp_request *request, const char *rest,
			 const struct fl_caller *caller)
{
	(void)rest;
	fl_observer_metrics(web->observer, request, caller);
}

static void show_machine(struct fl_web *web, struct evhttp_request *request, const char *rest,
			 const struct fl_caller *caller)
{
	fl_observer_machine(web->observer, request, rest, caller);
}

static const struct page pages[] = {
	{ "/healthz", false, true, show_health },
	{ "/readyz", false, true, show_ready },
	{ "/metrics", false, false, show_metrics },
	{ "/machine", true, false, show_machine },
};

static bool is_admitted(struct fl_web *web, struct evhttp_request *request, bool is_open,
			const void **caller)
{
	const struct fl_rpc_gate *gate = &fl_rpc_options(web->rpc)->gate;
	const struct fl_rpc_who who = fl_http_who(request);
	struct fl_err err = { 0 };

	if (gate->admit(gate->arg, &who, is_open, caller, &err) == 0)
		return true;
	if (err.kind == FL_ERR_UNAUTHENTICATED)
		evhttp_add_header(evhttp_request_get_output_headers(request), "WWW-Authenticate",
				  "Bearer");
	fl_gateway_refuse(request, fl_err_grpc_status(err.kind), err.text);
	return false;
}

static void show(struct fl_web *web, const struct page *page, const char *rest,
		 struct evhttp_request *request)
{
	enum evhttp_cmd_type verb = evhttp_request_get_command(request);
	const void *caller = NULL;

	if (verb != EVHTTP_REQ_GET && verb != EVHTTP_REQ_HEAD)
		evhttp_send_reply(request, HTTP_BADMETHOD, NULL, NULL);
	else if (is_admitted(web, request, page->is_open, &caller))
		page->show(web, request, rest, caller);
}

static bool take_page(struct fl_web *web, struct evhttp_request *request)
{
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));

	for (size_t i = 0; path && i < FL_COUNT(pages); i++) {
		const char *rest = path + strlen(pages[i].path);

		if (!fl_str_starts(path, pages[i].path) ||
		    (*rest && !(pages[i].has_rest && *rest == '/')))
			continue;
		show(web, &pages[i], rest, request);
		return true;
	}
	return false;
}

static void take_api(void *arg, struct evhttp_request *request)
{
	struct fl_web *web = arg;

	if (!take_page(web, request))
		fl_gateway_take(web->gateway, request);
}

static void take_debug(void *arg, struct evhttp_request *request)
{
	if (!take_page(arg, request))
		fl_gateway_refuse(request, FL_RPC_NOT_FOUND, "Not Found");
}

struct fl_web *fl_web_open(struct fl_server *server, struct fl_rpc *rpc, struct event_base *base,
			   struct fl_tls *const *tls, struct fl_err *err)
{
	const struct fl_config *config = server->config;
	struct fl_web *web = fl_alloc_zero(1, sizeof(*web));

	web->server = server;
	web->rpc = rpc;
	web->gateway = fl_gateway_create(rpc);
	web->observer = fl_observer_create(server, rpc, base);
	if (config->http_endpoint)
		web->api = fl_http_open(base, config->http_endpoint, tls,
					&(struct fl_http_handler){ take_api, web }, err);
	if (config->debug_endpoint)
		web->debug = fl_http_open(base, config->debug_endpoint, tls,
					  &(struct fl_http_handler){ take_debug, web }, err);
	if ((!config->http_endpoint || web->api) && (!config->debug_endpoint || web->debug))
		return web;
	fl_web_close(web);
	return NULL;
}

bool fl_web_is_idle(const struct fl_web *web)
{
	return fl_gateway_is_idle(web->gateway) && fl_observer_is_idle(web->observer);
}

void fl_web_close(struct fl_web *web)
{
	if (!web)
		return;
	fl_gateway_destroy(web->gateway);
	fl_observer_destroy(web->observer);
	fl_http_close(web->api);
	fl_http_close(web->debug);
	free(web);
}
