/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/http/gateway.h"

#include "cmd/fl-serve/http/endpoint.h"
#include "cmd/fl-serve/http/problem.h"
#include "cmd/fl-serve/http/routes.h"
#include "cmd/fl-serve/rpc/transport.h"
#include "cmd/fl-serve/wire/protojson.h"
#include "common/alloc.h"
#include "common/log.h"
#include "common/schema.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define JSON "application/json"
#define LINES "application/x-ndjson"
#define MOST_STRANGERS 5 /* told of one request */
#define LOOK_SECONDS 2 /* between looks at whether clients are there */

struct http_call {
	struct fl_call call;
	struct fl_gateway *gateway;
	struct http_call *previous, *next;
	struct evhttp_request *request; /* NULL: answered, or the client has left */
	struct fl_str out;
	bool started; /* a stream's header is out */
};

struct fl_gateway {
	struct fl_rpc *rpc;
	struct http_call *calls;
	struct event *reap, *look;
};

static void unlink_call(struct fl_gateway *gateway, struct http_call *call)
{
	if (call->previous)
		call->previous->next = call->next;
	else
		gateway->calls = call->next;
	if (call->next)
		call->next->previous = call->previous;
}

/* Of a call that is in no list any more. */
static void call_free(struct http_call *call)
{
	fl_call_close(&call->call);
	fl_str_finish(&call->out);
	free(call);
}

/* Handlers look at a call after its end: it is freed when they have returned. */
static void on_reap(evutil_socket_t fd, short what, void *arg)
{
	struct fl_gateway *gateway = arg;

	(void)fd;
	(void)what;
	for (struct http_call *one = gateway->calls, *next; one; one = next) {
		next = one->next;
		if (one->request)
			continue;
		unlink_call(gateway, one);
		call_free(one);
	}
}

static void leave(struct http_call *call)
{
	if (call->request) {
		evhttp_connection_set_closecb(evhttp_request_get_connection(call->request), NULL,
					      NULL);
		evhttp_request_set_on_complete_cb(call->request, NULL, NULL);
	}
	call->request = NULL;
	event_active(call->gateway->reap, EV_TIMEOUT, 0);
}

static void on_close(struct evhttp_connection *connection, void *arg)
{
	struct http_call *call = arg;

	(void)connection;
	call->request = NULL; /* it goes with its connection */
	event_active(call->gateway->reap, EV_TIMEOUT, 0);
}

static void on_sent(struct evhttp_request *request, void *arg)
{
	(void)request;
	leave(arg);
}

static bool is_stream(const struct http_call *call)
{
	return call->call.method && call->call.method->type->streams_out;
}

/* While a request is answered nobody reads from its connection, and a client that leaves is not
 * noticed until something is sent to it. */
static bool has_left(struct http_call *call)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(call->request);
	struct pollfd fd = { .events = POLLRDHUP };

	fd.fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
	return poll(&fd, 1, 0) == 1 && (fd.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct fl_gateway *gateway = arg;
	struct timeval time = { LOOK_SECONDS, 0 };

	(void)fd;
	(void)what;
	for (struct http_call *one = gateway->calls, *next; one; one = next) {
		next = one->next;
		if (one->request && !one->call.ended && is_stream(one) && has_left(one))
			evhttp_connection_free(evhttp_request_get_connection(one->request));
	}
	if (gateway->calls)
		evtimer_add(gateway->look, &time);
}

static void on_written(struct evhttp_connection *connection, void *arg)
{
	struct http_call *call = arg;

	(void)connection;
	fl_call_more(&call->call);
}

/* Of an answer that has not begun. */
static void add_fields(struct http_call *call, int code)
{
	struct evkeyvalq *fields = evhttp_request_get_output_headers(call->request);

	if (code == FL_RPC_UNAUTHENTICATED)
		evhttp_add_header(fields, "WWW-Authenticate", "Bearer");
	evhttp_add_header(fields, "Grpc-Metadata-Content-Type", "application/grpc");
	if (*call->call.request)
		evhttp_add_header(fields, "X-Request-Id", call->call.request);
}

static void start_stream(struct http_call *call)
{
	if (call->started)
		return;
	call->started = true;
	evhttp_add_header(evhttp_request_get_output_headers(call->request), "Content-Type", LINES);
	add_fields(call, FL_RPC_OK);
	evhttp_send_reply_start(call->request, HTTP_OK, NULL);
}

static void send_line(struct http_call *call, const char *key, const fl_json *value)
{
	fl_cleanup_json fl_json *line = fl_json_new_object();
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	struct evbuffer *buffer = evbuffer_new();

	if (!buffer)
		abort();
	start_stream(call);
	fl_json_set(line, key, fl_json_ref((fl_json *)value));
	fl_json_print(line, false, &text);
	fl_str_add(&text, "\n");
	evbuffer_add(buffer, text.data, text.len);
	evhttp_send_reply_chunk_with_cb(call->request, buffer, on_written, call);
	evbuffer_free(buffer);
}

static void send_message(struct fl_call *base, const void *message, size_t size)
{
	struct http_call *call = (struct http_call *)base;
	const struct fl_message_type *type = base->method->type->output;
	fl_cleanup_json fl_json *answer = fl_codec_decode(type, message, size, NULL);
	fl_cleanup_json fl_json *shown = answer ? fl_protojson_write(type, answer) : NULL;

	if (!shown || !call->request)
		return;
	if (base->method->type->streams_out)
		send_line(call, "result", shown);
	else
		fl_json_print(shown, false, &call->out);
}

static void finish_stream(struct http_call *call, int code, const char *text,
			  const struct fl_str *details)
{
	fl_cleanup_json fl_json *problem = fl_problem(call->call.rpc, code, text, details);
	fl_cleanup_json fl_json *line = fl_json_new_object();

	if (call->started) {
		if (code)
			send_line(call, "error", problem);
		evhttp_send_reply_end(call->request);
		return;
	}
	if (code) {
		fl_json_set(line, "error", fl_json_ref(problem));
		fl_json_print(line, false, &call->out);
	}
	add_fields(call, code);
	fl_http_answer(call->request, fl_problem_http_status(code), code ? JSON : LINES, &call->out);
}

static void finish_unary(struct http_call *call, int code, const char *text,
			 const struct fl_str *details)
{
	fl_cleanup_json fl_json *problem = NULL;

	if (code) {
		problem = fl_problem(call->call.rpc, code, text, details);
		fl_str_clear(&call->out);
		fl_json_print(problem, false, &call->out);
	}
	add_fields(call, code);
	fl_http_answer(call->request, fl_problem_http_status(code), JSON, &call->out);
}

static void finish(struct fl_call *base, int code, const char *text, const struct fl_str *details)
{
	struct http_call *call = (struct http_call *)base;

	if (!call->request)
		return;
	/* Until the last byte of the answer has left it is not at its end: a stop waits for it. */
	evhttp_request_set_on_complete_cb(call->request, on_sent, call);
	if (is_stream(call))
		finish_stream(call, code, text, details);
	else
		finish_unary(call, code, text, details);
}

static bool has_ended(const struct fl_call *base)
{
	(void)base;
	return true;
}

static const struct fl_transport transport = { send_message, finish, has_ended };

struct fl_gateway *fl_gateway_create(struct fl_rpc *rpc)
{
	struct fl_gateway *gateway = fl_alloc_zero(1, sizeof(*gateway));

	gateway->rpc = rpc;
	gateway->reap = evtimer_new(fl_rpc_options(rpc)->base, on_reap, gateway);
	gateway->look = evtimer_new(fl_rpc_options(rpc)->base, on_look, gateway);
	if (!gateway->reap || !gateway->look)
		abort();
	return gateway;
}

void fl_gateway_destroy(struct fl_gateway *gateway)
{
	struct http_call *call;

	if (!gateway)
		return;
	while ((call = gateway->calls)) {
		gateway->calls = call->next;
		leave(call);
		call_free(call);
	}
	event_free(gateway->reap);
	event_free(gateway->look);
	free(gateway);
}

bool fl_gateway_is_idle(const struct fl_gateway *gateway)
{
	return !gateway->calls;
}

void fl_gateway_refuse(struct evhttp_request *request, int code, const char *text)
{
	fl_cleanup_json fl_json *problem = fl_problem(NULL, code, text, NULL);
	fl_cleanup_str struct fl_str body = FL_STR_INIT;

	fl_json_print(problem, false, &body);
	fl_http_answer(request, fl_problem_http_status(code), JSON, &body);
}

static fl_json *read_body(struct evhttp_request *request, struct fl_err *err)
{
	struct evbuffer *buffer = evhttp_request_get_input_buffer(request);
	size_t size = evbuffer_get_length(buffer);
	const char *text = (const char *)evbuffer_pullup(buffer, -1);

	return size ? fl_json_parse(text, size, "the request's body", err) : fl_json_new_object();
}

/* "KEY=VALUE", or a KEY alone, whose value is empty. What is true or false has no quotes here. */
static void add_pair(const struct fl_message_type *type, const char *pair, size_t size, fl_json *wanted)
{
	const char *equals = memchr(pair, '=', size);
	size_t key_size = equals ? (size_t)(equals - pair) : size;
	fl_cleanup_free char *key_text = fl_strndup(pair, key_size);
	fl_cleanup_free char *value_text = equals ? fl_strndup(equals + 1, size - key_size - 1) : fl_strdup("");
	fl_cleanup_free char *key = evhttp_uridecode(key_text, 1, NULL);
	size_t value_size = 0;
	fl_cleanup_free char *value = evhttp_uridecode(value_text, 1, &value_size);
	const struct fl_field_type *field = key && *key ? fl_message_field_named(type, key) : NULL;
	bool is_true = fl_str_equal(value, "true");

	if (!field || !value || field->repeated || field->kind == FL_FIELD_MESSAGE)
		return;
	fl_json_set(wanted, key, field->kind == FL_FIELD_BOOL && (is_true || strcmp(value, "false") == 0)
				 ? fl_json_new_bool(is_true)
				 /* What holds a NUL is not its beginning. */
				 : fl_json_new_text(strlen(value) == value_size ? value : value_text));
}

/* Each by itself: one that is no pair takes nothing from the others. */
static void add_query(struct evhttp_request *request, const struct fl_message_type *type, fl_json *wanted)
{
	const char *at = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request));

	while (at && *at) {
		size_t size = strcspn(at, "&");

		add_pair(type, at, size, wanted);
		at += size + (at[size] == '&');
	}
}

/* The request's message, of body, query and path, in the names that a client uses. */
static fl_json *compose(struct evhttp_request *request, const struct fl_message_type *type,
			const struct fl_route *route, struct fl_err *err)
{
	fl_cleanup_json fl_json *body = read_body(request, err);
	fl_cleanup_json fl_json *wanted = NULL;

	if (!body)
		return NULL;
	if (fl_str_equal(route->body, "*")) {
		wanted = fl_json_ref(body);
	} else {
		/* Who knows gRPC sends the whole message, with the body as its one member. */
		fl_json *whole = route->body ? fl_json_get(body, route->body) : NULL;

		wanted = fl_json_new_object();
		if (route->body)
			fl_json_set(wanted, route->body, fl_json_ref(whole ? whole : body));
	}
	if (!fl_json_is_object(wanted)) {
		fl_err_set(err, FL_ERR_INVALID, "the request's body: an object belongs here");
		return NULL;
	}
	add_query(request, type, wanted);
	if (route->variable)
		fl_json_set(wanted, route->variable, fl_json_new_text(route->value));
	return fl_json_ref(wanted);
}

static void tell_stranger(void *arg, const char *path, const char *meant)
{
	unsigned *left = arg;

	if (*left && (*left)--)
		fl_log(FL_LOG_WARN, "HTTP: microvm.%.200s is unknown, and does nothing%s%s", path,
		       meant ? "; meant may be " : "", meant ? meant : "");
}

/* They are passed over, as flintlock's gateway does; who wrote one wonders what became of it. */
static void tell_strangers(const fl_json *wanted)
{
	fl_cleanup_json fl_json *spec =
		fl_schema_canonical(FL_SCHEMA_SPEC, fl_json_get(wanted, "microvm"), NULL);
	unsigned left = MOST_STRANGERS;

	if (spec)
		fl_schema_strangers(FL_SCHEMA_SPEC, spec, tell_stranger, &left);
}

static void run(struct http_call *call, const struct fl_route *route)
{
	const struct fl_rpc_who who = fl_http_who(call->request);
	fl_cleanup_json fl_json *wanted = NULL;
	struct fl_err err = { 0 };

	if (fl_call_admit(&call->call, &who) < 0)
		return;
	if (!call->call.method || call->call.method->type->streams_in) {
		fl_call_fail(&call->call, FL_RPC_NOT_FOUND, "Not Found", NULL);
		return;
	}
	wanted = compose(call->request, call->call.method->type->input, route, &err);
	if (fl_json_get(wanted, "microvm"))
		tell_strangers(wanted);
	if (wanted)
		call->call.document =
			fl_protojson_read(call->call.method->type->input, wanted, &err);
	if (!call->call.document) {
		fl_call_fail_err(&call->call, &err);
		return;
	}
	fl_call_run(&call->call);
	/* Whoever watches is told at once that it is heard. */
	if (call->request && !call->call.ended && is_stream(call))
		start_stream(call);
}

static const char *verb_of(struct evhttp_request *request)
{
	switch (evhttp_request_get_command(request)) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_DELETE:
		return "DELETE";
	default:
		return "";
	}
}

static char *path_of(struct evhttp_request *request)
{
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
	size_t size = 0;
	char *text = evhttp_uridecode(path ? path : "", 0, &size);

	/* What stands in front of a NUL is not what was asked for. */
	if (text && strlen(text) != size)
		*text = 0;
	return text;
}

void fl_gateway_take(struct fl_gateway *gateway, struct evhttp_request *request)
{
	fl_cleanup_free char *path = path_of(request);
	fl_cleanup_route struct fl_route route = { 0 };
	enum fl_route_found found = fl_route_find(verb_of(request), path ? path : "", &route);
	struct timeval look = { LOOK_SECONDS, 0 };
	struct http_call *call;

	if (found == FL_ROUTE_NO_VERB) {
		fl_gateway_refuse(request, FL_RPC_UNIMPLEMENTED, "Method Not Allowed");
		return;
	}
	if (found == FL_ROUTE_NO_PATH) {
		fl_gateway_refuse(request, FL_RPC_NOT_FOUND, "Not Found");
		return;
	}
	call = fl_alloc_zero(1, sizeof(*call));
	call->gateway = gateway;
	call->request = request;
	call->next = gateway->calls;
	if (call->next)
		call->next->previous = call;
	gateway->calls = call;
	if (!evtimer_pending(gateway->look, NULL))
		evtimer_add(gateway->look, &look);
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_close, call);
	fl_call_open(&call->call, gateway->rpc, &transport, route.method);
	run(call, &route);
}
