/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/http/endpoint.h"

#include "cmd/fl-serve/listener.h"
#include "common/alloc.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <stdlib.h>

#define MAX_HEADERS (16 << 10)
#define MAX_BODY (4 << 20)
#define IDLE_SECONDS 60

struct fl_http_endpoint {
	struct event_base *base;
	struct evhttp *http;
	struct fl_listener *listener;
	struct fl_tls *const *tls;
	struct fl_http_handler handler;
};

static void on_request(struct evhttp_request *request, void *arg)
{
	struct fl_http_endpoint *endpoint = arg;

	endpoint->handler.take(endpoint->handler.arg, request);
}

static struct bufferevent *new_connection(struct event_base *base, void *arg)
{
	struct fl_http_endpoint *endpoint = arg;

	fl_listener_taken(endpoint->listener);
	return *endpoint->tls ? fl_tls_accept(*endpoint->tls, base, -1)
			      : bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
}

struct fl_http_endpoint *fl_http_open(struct event_base *base, const char *address,
				      struct fl_tls *const *tls,
				      const struct fl_http_handler *handler, struct fl_err *err)
{
	struct fl_http_endpoint *endpoint = fl_alloc_zero(1, sizeof(*endpoint));

	endpoint->base = base;
	endpoint->tls = tls;
	endpoint->handler = *handler;
	endpoint->http = evhttp_new(base);
	if (!endpoint->http)
		abort();
	evhttp_set_allowed_methods(endpoint->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD |
						   EVHTTP_REQ_POST | EVHTTP_REQ_DELETE |
						   EVHTTP_REQ_PUT | EVHTTP_REQ_PATCH);
	evhttp_set_max_headers_size(endpoint->http, MAX_HEADERS);
	evhttp_set_max_body_size(endpoint->http, MAX_BODY);
	evhttp_set_timeout(endpoint->http, IDLE_SECONDS);
	evhttp_set_bevcb(endpoint->http, new_connection, endpoint);
	evhttp_set_gencb(endpoint->http, on_request, endpoint);
	endpoint->listener = fl_listener_open(base, address, NULL, NULL, err);
	if (!endpoint->listener) {
		fl_http_close(endpoint);
		return NULL;
	}
	fl_listener_hand_over(endpoint->listener, endpoint->http);
	return endpoint;
}

void fl_http_close(struct fl_http_endpoint *endpoint)
{
	if (!endpoint)
		return;
	evhttp_free(endpoint->http);
	fl_listener_close(endpoint->listener);
	free(endpoint);
}

struct fl_rpc_who fl_http_who(struct evhttp_request *request)
{
	struct evkeyvalq *fields = evhttp_request_get_input_headers(request);
	char *peer = NULL;
	uint16_t port;

	evhttp_connection_get_peer(evhttp_request_get_connection(request), &peer, &port);
	return (struct fl_rpc_who){ peer, evhttp_find_header(fields, "Authorization"),
				    evhttp_find_header(fields, "X-Request-Id") };
}

static void free_body(const void *body, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	free((void *)body);
}

void fl_http_answer(struct evhttp_request *request, int status, const char *content_type,
		    struct fl_str *body)
{
	struct evbuffer *buffer = evbuffer_new();
	size_t size = body->len;

	if (!buffer || evbuffer_add_reference(buffer, fl_str_steal(body), size, free_body, NULL) < 0)
		abort();
	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", content_type);
	evhttp_send_reply(request, status, NULL, buffer);
	evbuffer_free(buffer);
}
