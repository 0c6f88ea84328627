/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/rpc/grpc.h"

#include "cmd/fl-serve/rpc/gunzip.h"
#include "cmd/fl-serve/rpc/text.h"
#include "common/alloc.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX 5 /* a flag and a length in front of every message */

struct method {
	const struct fl_rpc_handler *handler;
	const struct fl_method_type *type;
};

struct fl_rpc {
	struct fl_rpc_options options;
	FL_VEC(struct method) methods;
	FL_VEC(struct fl_rpc_count) counts; /* beside methods */
	size_t waiting;                     /* bytes of requests that are not whole */
	size_t running;
};

struct fl_call {
	struct fl_rpc *rpc;
	struct fl_exchange *exchange;
	const struct method *method;
	struct fl_rpc_count *count;
	const void *caller;
	void *user;
	struct fl_str in;      /* what came and is not a whole message yet */
	struct fl_str message; /* the one that is being handled */
	struct event *deadline;
	bool gzip, had_message, ended, failed;
};

struct fl_rpc *fl_rpc_create(const struct fl_rpc_options *options)
{
	struct fl_rpc *rpc = fl_alloc_zero(1, sizeof(*rpc));

	rpc->options = *options;
	return rpc;
}

void fl_rpc_destroy(struct fl_rpc *rpc)
{
	if (!rpc)
		return;
	free(rpc->methods.items);
	free(rpc->counts.items);
	free(rpc);
}

static const struct fl_method_type *find_type(const struct fl_types *types, const char *path)
{
	const char *slash = strrchr(path, '/');
	fl_cleanup_free char *name = fl_strndup(path + 1, (size_t)(slash - path) - 1);
	const struct fl_service_type *service = fl_types_find_service(types, name);

	for (size_t i = 0; service && i < service->methods.count; i++)
		if (strcmp(service->methods.items[i].name, slash + 1) == 0)
			return &service->methods.items[i];
	abort(); /* a handler for what no .proto file has */
}

void fl_rpc_add(struct fl_rpc *rpc, const struct fl_rpc_handler *handlers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct fl_method_type *type = find_type(rpc->options.types, handlers[i].path);
		const char *slash = strrchr(handlers[i].path, '/');

		FL_VEC_ADD(&rpc->methods, (struct method){ &handlers[i], type });
		FL_VEC_ADD(&rpc->counts,
			   (struct fl_rpc_count){ .service = handlers[i].path + 1,
						  .service_size = (size_t)(slash - handlers[i].path) - 1,
						  .method = slash + 1, .method_size = strlen(slash + 1),
						  .streams = type->streams_out });
	}
}

size_t fl_rpc_counts(const struct fl_rpc *rpc, const struct fl_rpc_count **counts)
{
	*counts = rpc->counts.items;
	return rpc->counts.count;
}

size_t fl_rpc_running(const struct fl_rpc *rpc)
{
	return rpc->running;
}

/* With nothing sent yet, status and header fields are one ("Trailers-Only"). */
static void end_with(struct fl_exchange *exchange, int code, const char *text,
		     const struct fl_str *details, const char *http_status)
{
	fl_cleanup_str struct fl_str message = FL_STR_INIT;
	fl_cleanup_str struct fl_str binary = FL_STR_INIT;
	struct fl_header headers[5] = { { ":status", http_status },
					{ "content-type", "application/grpc" } };
	size_t first = exchange->answered ? 2 : 0, count = 2;
	char number[12];

	snprintf(number, sizeof(number), "%d", code);
	headers[count++] = (struct fl_header){ "grpc-status", number };
	if (text && *text) {
		fl_grpc_add_percent(text, &message);
		headers[count++] = (struct fl_header){ "grpc-message", message.data };
	}
	if (details) {
		fl_grpc_add_binary(details, &binary);
		headers[count++] = (struct fl_header){ "grpc-status-details-bin", binary.data };
	}
	if (first)
		fl_exchange_end(exchange, headers + first, count - first);
	else
		fl_exchange_respond(exchange, headers, count, true);
}

void fl_call_fail(struct fl_call *call, int code, const char *text, const struct fl_str *details)
{
	if (call->ended)
		return;
	call->ended = true;
	if (call->count)
		call->count->handled[code < FL_RPC_CODES ? code : 2]++;
	end_with(call->exchange, code, text, details, "200");
}

void fl_call_fail_err(struct fl_call *call, const struct fl_err *err)
{
	fl_call_fail(call, fl_err_grpc_status(err->kind), err->text, NULL);
}

void fl_call_finish(struct fl_call *call)
{
	fl_call_fail(call, FL_RPC_OK, NULL, NULL);
}

/* What is wrong with the request before any method is looked at; NULL: nothing. */
static bool is_refused(struct fl_exchange *exchange)
{
	const char *method = fl_exchange_find(exchange, ":method");
	const char *type = fl_exchange_find(exchange, "content-type");
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	struct fl_header wrong_method[] = { { ":status", "405" }, { "allow", "POST" } };

	if (!fl_str_equal(method, "POST")) {
		fl_exchange_respond(exchange, wrong_method, 2, true);
		return true;
	}
	if (type && fl_str_starts(type, "application/grpc") &&
	    (!type[16] || type[16] == '+' || type[16] == ';'))
		return false;
	fl_str_addf(&text, "invalid gRPC request content-type \"%.100s\"", type ? type : "");
	end_with(exchange, FL_RPC_INVALID_ARGUMENT, text.data, NULL, "415");
	return true;
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	fl_call_fail(arg, FL_RPC_DEADLINE_EXCEEDED, "context deadline exceeded", NULL);
}

static int set_deadline(struct fl_call *call, const char *text)
{
	int64_t milliseconds;
	struct timeval time;

	if (!text)
		return 0;
	if (!fl_grpc_parse_timeout(text, &milliseconds)) {
		fl_cleanup_free char *why = fl_asprintf("malformed grpc-timeout: %.40s", text);

		call->ended = true;
		end_with(call->exchange, FL_RPC_INTERNAL, why, NULL, "400");
		return -1;
	}
	if (milliseconds > 86400000)
		return 0;
	time = (struct timeval){ milliseconds / 1000, milliseconds % 1000 * 1000 };
	call->deadline = evtimer_new(call->rpc->options.base, on_deadline, call);
	if (!call->deadline)
		abort();
	evtimer_add(call->deadline, &time);
	return 0;
}

static bool is_known_service(const struct fl_rpc *rpc, const char *name, size_t size)
{
	for (size_t i = 0; i < rpc->counts.count; i++)
		if (rpc->counts.items[i].service_size == size &&
		    memcmp(rpc->counts.items[i].service, name, size) == 0)
			return true;
	return false;
}

static void unknown_method(struct fl_call *call, const char *path)
{
	const char *slash = *path == '/' ? strrchr(path, '/') : path;
	fl_cleanup_free char *text = NULL;

	if (slash == path || *path != '/')
		text = fl_asprintf("malformed method name: \"%.200s\"", path);
	else if (is_known_service(call->rpc, path + 1, (size_t)(slash - path) - 1))
		text = fl_asprintf("unknown method %.200s for service %.*s", slash + 1,
				   (int)(slash - path) - 1, path + 1);
	else
		text = fl_asprintf("unknown service %.*s",
				   slash - path > 200 ? 200 : (int)(slash - path) - 1, path + 1);
	fl_call_fail(call, FL_RPC_UNIMPLEMENTED, text, NULL);
}

static void find_method(struct fl_call *call, const char *path)
{
	struct fl_rpc *rpc = call->rpc;

	for (size_t i = 0; i < rpc->methods.count; i++)
		if (strcmp(rpc->methods.items[i].handler->path, path) == 0) {
			call->method = &rpc->methods.items[i];
			call->count = &rpc->counts.items[i];
			call->count->started++;
			return;
		}
}

static int set_encoding(struct fl_call *call, const char *encoding)
{
	fl_cleanup_free char *text = NULL;

	if (!encoding || strcmp(encoding, "identity") == 0)
		return 0;
	call->gzip = strcmp(encoding, "gzip") == 0;
	if (call->gzip)
		return 0;
	text = fl_asprintf("grpc: Decompressor is not installed for grpc-encoding \"%.40s\"", encoding);
	fl_call_fail(call, FL_RPC_UNIMPLEMENTED, text, NULL);
	return -1;
}

static int admit(struct fl_call *call)
{
	const struct fl_rpc_gate *gate = &call->rpc->options.gate;
	struct fl_err err = { 0 };

	if (!gate->admit || (call->method && call->method->handler->is_open))
		return 0;
	if (gate->admit(gate->arg, call->exchange, &call->caller, &err) == 0)
		return 0;
	fl_call_fail_err(call, &err);
	return -1;
}

static void begin(struct fl_exchange *exchange)
{
	struct fl_rpc_connection *connection = fl_http2_arg(exchange->connection);
	const char *path = fl_exchange_find(exchange, ":path");
	struct fl_call *call;

	if (is_refused(exchange))
		return;
	call = fl_alloc_zero(1, sizeof(*call));
	call->rpc = connection->rpc;
	call->exchange = exchange;
	exchange->user = call;
	call->rpc->running++;
	find_method(call, path ? path : "");
	if (set_deadline(call, fl_exchange_find(exchange, "grpc-timeout")) < 0 || admit(call) < 0 ||
	    set_encoding(call, fl_exchange_find(exchange, "grpc-encoding")) < 0)
		return;
	if (!call->method)
		unknown_method(call, path ? path : "");
}

static void too_large(struct fl_call *call, size_t size)
{
	fl_cleanup_free char *text =
		fl_asprintf("grpc: received message larger than max (%zu vs. %zu)", size,
			    call->rpc->options.max_message);

	fl_call_fail(call, FL_RPC_RESOURCE_EXHAUSTED, text, NULL);
}

static int take_message(struct fl_call *call, const uint8_t *bytes, size_t size, bool packed)
{
	struct fl_err err = { 0 };

	fl_str_clear(&call->message);
	if (!packed) {
		fl_str_add_bytes(&call->message, bytes, size);
		return 0;
	}
	if (!call->gzip) {
		fl_call_fail(call, FL_RPC_INTERNAL,
			     "grpc: compressed flag set with identity or empty encoding", NULL);
		return -1;
	}
	if (fl_gunzip(bytes, size, call->rpc->options.max_message, &call->message, &err) == 0)
		return 0;
	fl_call_fail_err(call, &err);
	return -1;
}

static void handle(struct fl_call *call)
{
	call->count->received++;
	call->method->handler->run(call);
	fl_str_clear(&call->message);
}

/* A message that is whole is taken out of what came; false when none is. */
static bool next_message(struct fl_call *call)
{
	const uint8_t *in = (const uint8_t *)call->in.data;
	size_t size;

	if (call->in.len < PREFIX)
		return false;
	size = (size_t)in[1] << 24 | (size_t)in[2] << 16 | (size_t)in[3] << 8 | in[4];
	if (size > call->rpc->options.max_message) {
		too_large(call, size);
		return false;
	}
	if (call->in.len < PREFIX + size)
		return false;
	if (!call->method->type->streams_in && call->had_message) {
		fl_call_fail(call, FL_RPC_INTERNAL, "more than one message for a unary method", NULL);
		return false;
	}
	call->had_message = true;
	if (take_message(call, in + PREFIX, size, in[0] != 0) < 0)
		return false;
	call->in.len -= PREFIX + size;
	memmove(call->in.data, call->in.data + PREFIX + size, call->in.len);
	call->rpc->waiting -= PREFIX + size;
	return true;
}

static void data(struct fl_exchange *exchange, const uint8_t *bytes, size_t size)
{
	struct fl_call *call = exchange->user;

	if (!call || call->ended)
		return;
	if (call->rpc->waiting + size > call->rpc->options.max_waiting) {
		fl_call_fail(call, FL_RPC_RESOURCE_EXHAUSTED,
			     "the server has no room for more requests now; try again later", NULL);
		return;
	}
	fl_str_add_bytes(&call->in, bytes, size);
	call->rpc->waiting += size;
	while (!call->ended && next_message(call))
		if (call->method->type->streams_in)
			handle(call);
}

static void end(struct fl_exchange *exchange)
{
	struct fl_call *call = exchange->user;

	if (!call || call->ended)
		return;
	if (call->method->type->streams_in)
		call->method->handler->run(call);
	else if (call->had_message && call->in.len == 0)
		handle(call);
	else
		fl_call_fail(call, FL_RPC_INTERNAL, call->in.len ? "unexpected EOF" : "EOF", NULL);
}

static void room(struct fl_exchange *exchange)
{
	struct fl_call *call = exchange->user;

	if (call && !call->ended && call->method->handler->more)
		call->method->handler->more(call);
}

static void closed(struct fl_exchange *exchange)
{
	struct fl_call *call = exchange->user;

	if (!call)
		return;
	if (!call->ended && call->count)
		call->count->handled[FL_RPC_CANCELLED]++;
	if (call->method && call->method->handler->closed)
		call->method->handler->closed(call);
	if (call->deadline)
		event_free(call->deadline);
	call->rpc->waiting -= call->in.len;
	call->rpc->running--;
	fl_str_finish(&call->in);
	fl_str_finish(&call->message);
	free(call);
}

struct fl_http2_upper fl_rpc_upper(void (*gone)(struct fl_http2 *connection, void *arg))
{
	return (struct fl_http2_upper){ begin, data, end, room, closed, gone };
}

void *fl_call_server(const struct fl_call *call)
{
	return call->rpc->options.server;
}

const void *fl_call_caller(const struct fl_call *call)
{
	return call->caller;
}

const char *fl_call_method(const struct fl_call *call)
{
	return call->method->handler->path;
}

const struct fl_message_type *fl_call_output(const struct fl_call *call)
{
	return call->method->type->output;
}

void **fl_call_user(struct fl_call *call)
{
	return &call->user;
}

const struct fl_str *fl_call_bytes(const struct fl_call *call)
{
	return &call->message;
}

fl_json *fl_call_request(struct fl_call *call)
{
	struct fl_err err = { 0 };
	fl_json *request = fl_codec_decode(call->method->type->input,
					   call->message.data ? call->message.data : "",
					   call->message.len, &err);

	if (!request) {
		fl_err_prefix(&err, "grpc: error unmarshalling request");
		fl_call_fail_err(call, &err);
	}
	return request;
}

bool fl_call_has_ended(const struct fl_call *call)
{
	return call->exchange->request_ended;
}

void fl_call_send_length(struct fl_call *call, size_t size)
{
	static const struct fl_header headers[] = { { ":status", "200" },
						    { "content-type", "application/grpc" },
						    { "grpc-accept-encoding", "identity,gzip" } };
	const uint8_t prefix[PREFIX] = { 0, (uint8_t)(size >> 24), (uint8_t)(size >> 16),
					 (uint8_t)(size >> 8), (uint8_t)size };

	if (call->ended)
		return;
	if (!call->exchange->answered)
		fl_exchange_respond(call->exchange, headers, FL_COUNT(headers), false);
	call->count->sent++;
	fl_exchange_write(call->exchange, prefix, PREFIX);
}

void fl_call_send_piece(struct fl_call *call, const void *bytes, size_t size)
{
	if (!call->ended && size)
		fl_exchange_write(call->exchange, bytes, size);
}

void fl_call_send(struct fl_call *call, const void *message, size_t size)
{
	fl_call_send_length(call, size);
	fl_call_send_piece(call, message, size);
}

void fl_call_send_json(struct fl_call *call, const fl_json *message)
{
	fl_cleanup_str struct fl_str bytes = FL_STR_INIT;

	fl_codec_encode(call->method->type->output, message, &bytes);
	fl_call_send(call, bytes.data ? bytes.data : "", bytes.len);
}
